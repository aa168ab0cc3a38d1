-- What the data path does to a GA4 export, as somebody would write it by hand for DuckDB alone: users hashed under a
-- key, rows judged and those that are bad put aside with a reason, copies left out, visits found, each item shown
-- joined with what came of it, counts a day, what sequences are made of, features of 30 days. $files are the export's
-- files, $inner and $outer the two padded keys of HMAC-SHA256, $last_us what lies in the future. At "-- write" a table
-- goes to Parquet, a file a day, in the order told. One shop's script: no other could be read by it, nothing of it is
-- checked, and it starts anew each time.

CREATE TEMP MACRO said(value) AS nullif(nullif(value, ''), '(not set)');
CREATE TEMP MACRO minor(amount) AS round(amount * 100)::BIGINT;  -- this shop sells in dollars alone
CREATE TEMP MACRO param(params, name) AS
    list_filter(params, lambda each: each.key = name)[1].value;

CREATE TEMP TABLE read AS
SELECT row_number() OVER () AS event_no, parse_filename(filename) AS source_file, file_row_number AS source_row,
    event_name, event_timestamp AS at_us, said(user_id) AS user_id, said(user_pseudo_id) AS device_id,
    param(event_params, 'ga_session_id').int_value::VARCHAR AS source_session_id,
    param(event_params, 'recommendation_id').string_value AS recommendation_id,
    param(event_params, 'search_term').string_value AS search_term,
    minor(CASE event_name WHEN 'purchase' THEN ecommerce.purchase_revenue WHEN 'refund' THEN
        coalesce(ecommerce.refund_value, ecommerce.purchase_revenue) END) AS value_minor,
    said(ecommerce.transaction_id) AS transaction_id, said(geo.country) AS country,
    said(device.category) AS device_category, items
FROM read_parquet($files, filename = true, file_row_number = true);

CREATE TEMP TABLE keys AS
SELECT name, left(sha256(unhex($outer) || unhex(sha256(unhex($inner) || encode(name)))), 32) AS key
FROM (
    SELECT DISTINCT 'user:' || user_id AS name FROM read WHERE user_id IS NOT NULL
    UNION SELECT DISTINCT 'device:' || device_id FROM read WHERE device_id IS NOT NULL
);

CREATE TEMP TABLE judged AS
SELECT read.* EXCLUDE (user_id, device_id, items), users.key AS logged_in, devices.key AS device_key,
    coalesce(users.key, devices.key) AS user_key,
    CASE WHEN at_us BETWEEN 946684800000000 AND $last_us THEN strftime(make_timestamp(at_us), '%Y-%m-%d')
        ELSE source_file[8:11] || '-' || source_file[12:13] || '-' || source_file[14:15] END AS date_partition,
    CASE WHEN event_name IS NULL THEN 'event_name_missing'
        WHEN event_name NOT IN ('view_item_list', 'select_item', 'view_item', 'add_to_wishlist', 'add_to_cart',
            'remove_from_cart', 'view_cart', 'begin_checkout', 'add_shipping_info', 'add_payment_info', 'purchase',
            'refund', 'view_promotion', 'select_promotion', 'view_search_results', 'search') THEN 'event_name_unknown'
        WHEN at_us IS NULL THEN 'at_missing'
        WHEN at_us < 946684800000000 THEN 'at_out_of_range'
        WHEN at_us > $last_us THEN 'at_in_future'
        WHEN users.key IS NULL AND devices.key IS NULL THEN 'user_missing'
        WHEN value_minor NOT BETWEEN 0 AND 1e12 THEN 'value_out_of_range' END AS reason
FROM read
LEFT JOIN keys AS users ON users.name = 'user:' || user_id
LEFT JOIN keys AS devices ON devices.name = 'device:' || device_id;

CREATE TEMP TABLE rows AS
SELECT event_no, ordinal::INT AS item_ordinal, coalesce(said(item.item_id), said(item.item_name)) AS item_id,
    said(item.item_name) AS item_name, said(item.item_variant) AS item_variant, minor(item.price) AS price_minor,
    item.quantity, said(item.item_list_name) AS item_list_id,
    CASE WHEN try_cast(item.item_list_index AS INT) BETWEEN 0 AND 1000000
        THEN try_cast(item.item_list_index AS INT) END AS place,
    CASE WHEN coalesce(said(item.item_id), said(item.item_name)) IS NULL THEN 'item_missing'
        WHEN item.price < 0 THEN 'price_negative'
        WHEN item.price > 1000000 THEN 'price_out_of_range'
        WHEN item.quantity < 1 OR item.quantity > 100000 THEN 'quantity_out_of_range' END AS reason
FROM (SELECT event_no, unnest(items) AS item, generate_subscripts(items, 1) AS ordinal FROM read)
UNION ALL
SELECT event_no, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    CASE WHEN event_name IN ('select_item', 'view_item', 'add_to_wishlist', 'add_to_cart', 'remove_from_cart')
        THEN 'item_missing' END
FROM read WHERE coalesce(len(items), 0) = 0;

DROP TABLE read;

CREATE TEMP TABLE identified AS
SELECT judged.*, left(sha256(concat_ws('|', user_key, device_key, at_us, event_name, source_session_id, transaction_id,
    search_term, recommendation_id, value_minor, told)), 32) AS event_id, num_good
FROM judged
JOIN (
    SELECT event_no, count(*) FILTER (reason IS NULL) AS num_good, string_agg(
        concat_ws('|', item_ordinal, item_id, item_variant, price_minor, quantity, place), '|' ORDER BY item_ordinal
    ) AS told
    FROM rows
    GROUP BY event_no
) USING (event_no);

CREATE TEMP TABLE first AS
SELECT * FROM identified WHERE reason IS NULL AND num_good > 0
QUALIFY row_number() OVER (PARTITION BY event_id, date_partition ORDER BY source_file, source_row) = 1;

CREATE TEMP TABLE quarantine AS
SELECT date_partition, reason, source_file, source_row, 0 AS item_ordinal, event_name, at_us,
    NULL::VARCHAR AS item_id, user_key, event_id AS row_digest
FROM identified WHERE reason IS NOT NULL
UNION ALL
SELECT date_partition, rows.reason, source_file, source_row, item_ordinal, event_name, at_us, item_id, user_key,
    left(sha256(concat_ws('|', event_id, item_ordinal, item_id, price_minor, quantity)), 32)
FROM identified JOIN rows USING (event_no) WHERE identified.reason IS NULL AND rows.reason IS NOT NULL;

-- write quarantine ORDER BY source_file, source_row, item_ordinal, reason

CREATE TEMP TABLE events AS
SELECT date_partition, event_id, item_ordinal, 'main' AS site, event_name, at_us, at_us AS received_us, user_key,
    device_key, source_session_id, item_id, item_name, item_variant, price_minor, quantity, value_minor,
    'USD' AS currency, transaction_id, item_list_id, place, search_term, recommendation_id, country, device_category
FROM first JOIN rows USING (event_no)
WHERE rows.reason IS NULL;

DROP TABLE judged; DROP TABLE rows; DROP TABLE identified; DROP TABLE first;

-- write events ORDER BY user_key, at_us, event_id, item_ordinal

CREATE TEMP TABLE told AS
SELECT user_key, at_us, event_id, any_value(event_name) AS event_name, any_value(date_partition) AS date_partition,
    sum(price_minor * coalesce(quantity, 1)) FILTER (event_name = 'purchase') AS value_minor,
    any_value(country) AS country, any_value(device_category) AS device_category
FROM events
GROUP BY user_key, at_us, event_id;

CREATE TEMP TABLE placed AS
SELECT *, max(opened_us) OVER (PARTITION BY user_key ORDER BY at_us) AS started_us
FROM (
    SELECT *, CASE WHEN coalesce(at_us - lag(at_us) OVER (PARTITION BY user_key ORDER BY at_us) > 1800000000, true)
        THEN at_us END AS opened_us
    FROM told
);

CREATE TEMP TABLE sessions AS
SELECT min(date_partition) AS date_partition, left(sha256(user_key || '|' || started_us), 32) AS session_id, user_key,
    started_us, max(at_us) AS ended_us, count(*) AS num_events, count(*) FILTER (event_name = 'view_item') AS num_views,
    count(*) FILTER (event_name = 'add_to_cart') AS num_carts,
    count(*) FILTER (event_name = 'purchase') AS num_purchases, any_value(num_items) AS num_items,
    coalesce(sum(value_minor), 0)::BIGINT AS value_minor, arg_min(country, at_us) AS country,
    arg_min(device_category, at_us) AS device_category
FROM placed
LEFT JOIN (
    SELECT user_key, started_us, count(DISTINCT item_id) AS num_items
    FROM placed JOIN (
        SELECT event_id, item_id FROM events WHERE event_name IN ('view_item', 'add_to_cart', 'purchase')
    ) USING (event_id)
    GROUP BY user_key, started_us
) USING (user_key, started_us)
GROUP BY user_key, started_us;

-- write sessions ORDER BY user_key, started_us

CREATE TEMP TABLE lists AS
SELECT events.date_partition, event_id, item_ordinal, session_id, user_key, at_us, item_id, item_list_id,
    coalesce(nullif(place, 0), item_ordinal) AS place, recommendation_id
FROM (SELECT * FROM events WHERE event_name = 'view_item_list' AND item_id IS NOT NULL) AS events
JOIN (SELECT event_id, user_key, started_us FROM placed WHERE event_name = 'view_item_list') USING (event_id, user_key)
JOIN sessions USING (user_key, started_us);

CREATE TEMP TABLE credited AS
WITH outcomes AS (
    SELECT session_id, events.item_id, events.at_us, events.event_id, events.item_ordinal, events.event_name,
        events.recommendation_id
    FROM (
        SELECT * FROM events WHERE event_name IN ('select_item', 'add_to_cart', 'purchase') AND item_id IS NOT NULL
    ) AS events
    JOIN (SELECT event_id, user_key, started_us FROM placed WHERE event_name <> 'view_item_list')
        USING (event_id, user_key)
    JOIN sessions USING (user_key, started_us)
),
showings AS (
    SELECT session_id, item_id, at_us, event_id, min(item_ordinal) AS item_ordinal,
        min(recommendation_id) AS recommendation_id
    FROM lists SEMI JOIN outcomes USING (session_id, item_id)
    GROUP BY session_id, item_id, at_us, event_id
),
won AS (  -- the latest list with the item, one that the outcome names before others; of one instant the last by id
    SELECT outcomes.event_name, outcomes.at_us, max({
        'is_named': coalesce(outcomes.recommendation_id = showings.recommendation_id, false),
        'at_us': showings.at_us, 'event_id': showings.event_id, 'item_ordinal': showings.item_ordinal
    }) AS showing
    FROM outcomes JOIN showings USING (session_id, item_id)
    WHERE showings.at_us <= outcomes.at_us
    GROUP BY session_id, outcomes.item_id, outcomes.at_us, outcomes.event_id, outcomes.item_ordinal, outcomes.event_name
)
SELECT showing.event_id, showing.item_ordinal, bool_or(event_name = 'select_item') AS clicked,
    min(at_us) FILTER (event_name = 'select_item') AS clicked_us, bool_or(event_name = 'add_to_cart') AS carted,
    bool_or(event_name = 'purchase') AS purchased
FROM won
GROUP BY ALL;

CREATE TEMP TABLE exposures AS
SELECT lists.*, NULL::DOUBLE AS propensity, NULL::VARCHAR AS variant, coalesce(clicked, false) AS clicked, clicked_us,
    coalesce(carted, false) AS carted, coalesce(purchased, false) AS purchased
FROM lists LEFT JOIN credited USING (event_id, item_ordinal);

DROP TABLE lists;

-- write exposures ORDER BY user_key, at_us, event_id, item_ordinal

CREATE TEMP TABLE item_days AS
SELECT counts.*, coalesce(num_exposures, 0) AS num_exposures, coalesce(num_clicks, 0) AS num_clicks
FROM (
    SELECT date_partition, item_id, count(*) FILTER (event_name = 'view_item') AS num_views,
        count(*) FILTER (event_name = 'add_to_cart') AS num_carts,
        count(*) FILTER (event_name = 'purchase') AS num_purchases, floor(median(price_minor))::BIGINT AS price_minor
    FROM events WHERE item_id IS NOT NULL
    GROUP BY date_partition, item_id
) AS counts
LEFT JOIN (
    SELECT date_partition, item_id, count(*) AS num_exposures,
        count(*) FILTER (clicked_us // 86400000000 = at_us // 86400000000) AS num_clicks
    FROM exposures
    GROUP BY date_partition, item_id
) USING (date_partition, item_id);

CREATE TEMP TABLE user_days AS
SELECT counts.*, coalesce(num_sessions, 0) AS num_sessions
FROM (
    SELECT date_partition, user_key, count(*) FILTER (event_name = 'view_item' AND item_id IS NOT NULL) AS num_views,
        count(*) FILTER (event_name = 'add_to_cart' AND item_id IS NOT NULL) AS num_carts,
        count(*) FILTER (event_name = 'purchase' AND item_id IS NOT NULL) AS num_purchases,
        coalesce(sum(price_minor) FILTER (event_name = 'view_item'), 0)::BIGINT AS viewed_price_minor,
        count(price_minor) FILTER (event_name = 'view_item') AS num_priced
    FROM events
    GROUP BY date_partition, user_key
) AS counts
LEFT JOIN (
    SELECT date_partition, user_key, count(*) AS num_sessions FROM sessions GROUP BY date_partition, user_key
) USING (date_partition, user_key);

CREATE TEMP TABLE elements AS
SELECT date_partition, user_key, at_us, item_id, event_id, item_ordinal, event_name
FROM events WHERE event_name IN ('view_item', 'add_to_cart', 'purchase') AND item_id IS NOT NULL;

-- write elements ORDER BY user_key, at_us, item_id, event_id, item_ordinal
-- write item_days ORDER BY item_id
-- write user_days ORDER BY user_key

CREATE TEMP TABLE as_of AS
SELECT strftime(day, '%Y-%m-%d') AS date_partition, day::DATE AS day
FROM (SELECT unnest(range(min(date_partition::DATE) + 1, max(date_partition::DATE) + 2, INTERVAL 1 DAY)) AS day FROM user_days);

CREATE TEMP TABLE item_features AS
SELECT as_of.date_partition, item_id, $windows_of_items,
    sum(num_clicks) / nullif(sum(num_exposures), 0) AS click_rate_30d,
    sum(num_carts) / nullif(sum(num_views), 0) AS cart_rate_30d,
    sum(num_purchases) / nullif(sum(num_views), 0) AS purchase_rate_30d,
    arg_min(price_minor, age) FILTER (price_minor IS NOT NULL) AS price_minor,
    as_of.day - any_value(first_day) AS days_since_first_seen, min(age) AS days_since_seen
FROM as_of
JOIN (SELECT *, date_partition::DATE AS day FROM item_days) AS days
    ON days.day < as_of.day AND days.day >= as_of.day - 30
JOIN (SELECT item_id, min(date_partition)::DATE AS first_day FROM item_days GROUP BY item_id) USING (item_id),
LATERAL (SELECT as_of.day - days.day AS age)
GROUP BY as_of.date_partition, as_of.day, item_id;

-- write item_features ORDER BY item_id

CREATE TEMP TABLE user_features AS
SELECT as_of.date_partition, user_key, $windows_of_users,
    sum(num_carts) / nullif(sum(num_views), 0) AS cart_rate_30d,
    sum(num_purchases) / nullif(sum(num_views), 0) AS purchase_rate_30d,
    round(sum(viewed_price_minor) / nullif(sum(num_priced), 0))::BIGINT AS mean_price_minor_30d,
    min(age) AS days_since_seen
FROM as_of
JOIN (SELECT *, date_partition::DATE AS day FROM user_days) AS days
    ON days.day < as_of.day AND days.day >= as_of.day - 30,
LATERAL (SELECT as_of.day - days.day AS age)
GROUP BY as_of.date_partition, user_key;

-- write user_features ORDER BY user_key

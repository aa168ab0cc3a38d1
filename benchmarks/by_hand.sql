-- What the data path does to a log of clicks, as somebody would write it by hand for DuckDB alone: the first copy of
-- each event, the visits without a pause of more than 30 minutes, and both as Parquet, a folder a day.
CREATE TEMP TABLE events AS
SELECT strftime(make_timestamp(event_timestamp), '%Y-%m-%d') AS date_partition, event_id, 1::INT AS item_ordinal,
    event_name, event_timestamp AS at_us, user_id AS user_key, item_id, round(price * 100)::BIGINT AS price_minor,
    quantity::BIGINT AS quantity, 'USD' AS currency, transaction_id, country, device_category
FROM (
    SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY filename, file_row_number) AS copy
    FROM read_parquet($files, filename = true, file_row_number = true)
)
WHERE copy = 1;

COPY events TO '$events' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARTITION_BY (date_partition));

COPY (
    WITH marked AS (
        SELECT *, coalesce(at_us - lag(at_us) OVER in_order > 1_800_000_000, true)::INT AS opens
        FROM events
        WINDOW in_order AS (PARTITION BY user_key ORDER BY at_us)
    ),
    numbered AS (
        SELECT *, sum(opens) OVER (PARTITION BY user_key ORDER BY at_us ROWS UNBOUNDED PRECEDING) AS visit
        FROM marked
    )
    SELECT min(date_partition) AS date_partition, sha256(user_key || '|' || min(at_us))[:32] AS session_id, user_key,
        min(at_us) AS started_us, max(at_us) AS ended_us, count(*) AS num_events,
        count(*) FILTER (event_name = 'view_item') AS num_views,
        count(*) FILTER (event_name = 'add_to_cart') AS num_carts,
        count(*) FILTER (event_name = 'purchase') AS num_purchases,
        count(DISTINCT item_id) FILTER (event_name IN ('view_item', 'add_to_cart', 'purchase')) AS num_items,
        coalesce(sum(price_minor * quantity) FILTER (event_name = 'purchase'), 0)::BIGINT AS value_minor,
        arg_min(country, at_us) AS country, arg_min(device_category, at_us) AS device_category
    FROM numbered
    GROUP BY user_key, visit
) TO '$sessions' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARTITION_BY (date_partition));

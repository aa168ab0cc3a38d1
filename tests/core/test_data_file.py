from endcap.core.data_file import DataFile


def test_a_file_whose_values_are_not_known_tells_its_rows_alone():
    file = DataFile("attempt-1/part-0.parquet", "", 400, 3)
    assert (file.rows, file.least, file.greatest, file.nulls) == (3, {}, {}, {})

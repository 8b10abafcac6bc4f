-- What metrics sum of model calls is landed and settled like the calls themselves.
DROP TABLE usage_points;

PRAGMA cache_size = -32000;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, part INTEGER, price REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO item SELECT i, 'item number ' || (i * 7919 % 60000), i % 251, i * 0.25 FROM n;
CREATE INDEX item_name ON item (name);
CREATE INDEX item_part ON item (part, price);
SELECT part, count(*), sum(price), group_concat(substr(name, 1, 4)) FROM item GROUP BY part ORDER BY 3 DESC LIMIT 3;
SELECT count(*) FROM item a JOIN item b ON a.part = b.part AND b.id < 400;
UPDATE item SET name = name || ' changed' WHERE part < 100;
SELECT count(DISTINCT name) FROM item WHERE name LIKE '%changed';
DELETE FROM item WHERE part > 200;

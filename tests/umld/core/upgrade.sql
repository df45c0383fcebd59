-- Fails in its last statement if two settings have the same value.
CREATE TABLE added (x INTEGER NOT NULL) STRICT;
INSERT INTO added SELECT 7;
CREATE UNIQUE INDEX setting_value ON setting (value);

#!/usr/bin/env bash
# A GeoPackage written by pyogrio 0.13.0 (Python package, GDAL inside) is a SQLite database whose rows plain SQLite cannot change: UPDATE of
# a column that is not the geometry fails with "no such function: ST_IsEmpty" (Python's sqlite3), since the triggers of its
# spatial index call functions that only GDAL and SpatiaLite have. DELETE works. A guess beforehand was that a file
# in an open SQLite format takes an UPDATE of a number.
# Seen: "UPDATE of a number: no such function: ST_IsEmpty; DELETE: 1 row; without SPATIAL_INDEX the UPDATE: 1 row".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --prefer-binary pyogrio==0.13.0 geopandas==1.1.4
cat > change.py <<'PY'
import sqlite3

import geopandas
import pyogrio
import shapely

frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=4326)
pyogrio.write_dataframe(frame, "indexed.gpkg", layer="place")
pyogrio.write_dataframe(frame, "plain.gpkg", layer="place", layer_options={"SPATIAL_INDEX": "NO"})


def tried(file, sql):
    try:
        return f"{sqlite3.connect(file).execute(sql).rowcount} row"
    except sqlite3.OperationalError as error:
        return str(error)


update = "UPDATE place SET n = 2"
print(f"UPDATE of a number: {tried('indexed.gpkg', update)}; DELETE: {tried('indexed.gpkg', 'DELETE FROM place')}; without SPATIAL_INDEX the UPDATE: {tried('plain.gpkg', update)}")
PY
seen=$(venv/bin/python change.py)
echo "$seen"
[ "$seen" = "UPDATE of a number: no such function: ST_IsEmpty; DELETE: 1 row; without SPATIAL_INDEX the UPDATE: 1 row" ]

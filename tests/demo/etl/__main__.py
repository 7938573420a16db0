"""usage: python3 -m etl --data /usr/share/unicode --out report.jsonl [--from 2026-01-01] [--days 365]"""

import argparse
import datetime
import json
import logging
from pathlib import Path

from etl.join import group, join, summarise
from etl.ucd import Ranges, load_characters, load_readings

log = logging.getLogger("etl")


def run_day(day, tables, out):
    groups, letters = group(join(*tables, day))
    for row in summarise(groups):
        out.write(json.dumps({"day": day.isoformat(), **row}, ensure_ascii=False) + "\n")
    log.info("%s: %d groups, %d words", day, len(groups), letters.total())


def main():
    parser = argparse.ArgumentParser(prog="etl")
    parser.add_argument("--data", default="/usr/share/unicode", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--from", dest="start", default="2026-01-01", type=datetime.date.fromisoformat)
    parser.add_argument("--days", default=365, type=int)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")

    characters = load_characters(options.data)
    readings = load_readings(options.data)
    tables = readings, characters, Ranges(options.data / "Blocks.txt"), Ranges(options.data / "Scripts.txt")
    log.info("%d characters, %d readings", len(characters), len(readings))

    with open(options.out, "w", encoding="utf-8") as out:
        for offset in range(options.days):
            run_day(options.start + datetime.timedelta(days=offset), tables, out)


if __name__ == "__main__":
    main()

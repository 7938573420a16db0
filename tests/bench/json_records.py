"""Builds records, writes them as JSON, reads them again. usage: json_records.py COUNT"""
import json
import sys

count = int(sys.argv[1])
records = [
    {
        "id": i,
        "name": f"customer {i % 977}",
        "tags": [f"t{i % 13}", f"u{i % 7}"],
        "amounts": [i * 0.25, i * 1.5, None],
        "address": {"street": f"{i % 300} Long Street", "city": "Springfield", "zip": f"{i % 99999:05d}"},
    }
    for i in range(count)
]
text = json.dumps(records)
again = json.loads(text)
assert again[-1]["id"] == count - 1

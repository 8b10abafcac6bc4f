"""Writes the prices of the Python package genai-prices as JSON in the v2 format of its repository.

The package is released more often than the Rust crate; it carries the data as Python objects.
Only what pricing needs is kept: no descriptions, no extractors. Numbers keep every digit.

    pip install genai-prices==0.2.3
    python import.py > genai-prices.json
"""

import dataclasses
import datetime
import decimal
import json
import re
import sys

from genai_prices import data, types

PROVIDER = ["id", "name", "api_pattern", "provider_match", "model_match", "fallback_model_providers", "models"]
MODEL = ["id", "match", "prices", "price_variants"]
KEEP = {types.Provider: PROVIDER, types.ModelInfo: MODEL}


def plain(value):
    """The value as dictionaries, lists and texts; a decimal as a text that `numbers` finds again."""
    if isinstance(value, decimal.Decimal):
        return f"<{value:f}>"
    if isinstance(value, datetime.time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, types.ModelPrice):
        return present(vars(value))
    if dataclasses.is_dataclass(value):
        names = KEEP.get(type(value)) or [field.name for field in dataclasses.fields(value)]
        return present({name.rstrip("_"): getattr(value, name) for name in names})
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def present(fields):
    return {key: plain(value) for key, value in fields.items() if value is not None}


def numbers(text):
    return re.sub(r'"<(-?[0-9.]+)>"', r"\1", text)


providers = [plain(provider) for provider in data.providers]
lines = ",\n".join(numbers(json.dumps(provider, ensure_ascii=False, separators=(",", ":"))) for provider in providers)
sys.stdout.write(f"[\n{lines}\n]\n")

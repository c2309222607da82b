"""Units of measurement and currencies as people write them, and one spelling for each.

This file is shipped with every deployed model, so it only needs the standard library.
"""

from __future__ import annotations

_SPELLINGS = {
    "usd": "$ us$ usd dollar dollars",
    "eur": "€ eur euro euros",
    "gbp": "£ gbp",
    "jpy": "¥ jpy yen",
    "inr": "₹ inr rs rupees",
    "krw": "₩ krw",
    "rub": "₽ rub",
    "try": "₺ try tl",
    "ils": "₪ ils nis",
    "vnd": "₫ vnd",
    "uah": "₴ uah",
    "ngn": "₦ ngn",
    "php": "₱ php",
    "thb": "฿ thb",
    "cad": "c$ ca$ cad",
    "aud": "a$ au$ aud",
    "nzd": "nz$ nzd",
    "hkd": "hk$ hkd",
    "sgd": "s$ sgd",
    "twd": "nt$ twd",
    "brl": "r$ brl",
    "mxn": "mx$ mxn",
    "chf": "chf fr sfr",
    "kr": "kr sek nok dkk",
    "pln": "zł pln",
    "czk": "kč czk",
    "huf": "huf",
    "cny": "cny rmb 元",
    "zar": "zar",
    "%": "% percent pct",
    "‰": "‰",
    "bp": "bp bps",
    "kg": "kg kgs kilo kilos kilogram kilograms",
    "g": "g gr gram grams",
    "mg": "mg",
    "µg": "µg ug mcg",
    "tonne": "t ton tons tonne tonnes",
    "lb": "lb lbs pound pounds",
    "oz": "oz ounce ounces",
    "km": "km kms kilometer kilometers kilometre kilometres",
    "m": "m meter meters metre metres",
    "cm": "cm",
    "mm": "mm",
    "µm": "µm um",
    "mile": "mi mile miles",
    "foot": "ft foot feet",
    "inch": 'in inch inches "',
    "yard": "yd yard yards",
    "litre": "l liter liters litre litres",
    "ml": "ml",
    "cl": "cl",
    "gallon": "gal gallon gallons",
    "m²": "m² m2 sqm",
    "km²": "km² km2",
    "sq ft": "sqft sq_ft ft² ft2",
    "hectare": "ha hectare hectares",
    "acre": "acre acres",
    "second": "s sec secs second seconds",
    "ms": "ms",
    "minute": "min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "d day days",
    "week": "week weeks wk wks",
    "month": "month months mo mos mth mths",
    "year": "year years yr yrs",
    "°c": "°c ℃",
    "°f": "°f ℉",
    "km/h": "km/h kmh kph",
    "mph": "mph",
    "m/s": "m/s",
    "knot": "kn kt knot knots",
    "w": "w watt watts",
    "kw": "kw",
    "hp": "hp bhp ps",
    "wh": "wh",
    "kwh": "kwh",
    "v": "v volt volts",
    "hz": "hz",
    "khz": "khz",
    "mhz": "mhz",
    "ghz": "ghz",
    "bar": "bar",
    "psi": "psi",
    "pa": "pa",
    "hpa": "hpa",
    "kpa": "kpa",
    "mmhg": "mmhg",
    "kcal": "kcal",
    "kj": "kj",
    "thousand": "k thousand",
    "million": "mn mio million millions",
    "billion": "bn bln billion billions",
}
_UNITS = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
# Units that differ from another only by case.
_EXACT = {"M": "million", "B": "billion", "MW": "megawatt", "mW": "milliwatt", "MB": "megabyte", "Mb": "megabit"} | {
    "GB": "gigabyte", "Gb": "gigabit", "KB": "kilobyte", "kB": "kilobyte", "Kb": "kilobit", "TB": "terabyte", "MWh": "megawatt hour",
}  # fmt: skip
KNOWN_UNITS = frozenset({*_UNITS.values(), *_EXACT.values()})
CURRENCIES = frozenset(list(_SPELLINGS)[: list(_SPELLINGS).index("%")])


def unit_of(written: str) -> str:
    """The usual spelling of a unit: kg, KG and kilograms all give kg."""
    bare = written.strip()
    bare = bare if bare in _UNITS else bare.rstrip(".")
    low = bare.casefold()
    known = _EXACT.get(bare) or _UNITS.get(bare) or _UNITS.get(low)
    return known or (low[:-1] if len(low) > 3 and low.endswith("s") else low)

"""Computes the worked deadlines a second time. Shares no code and no data with the crate `sekisho-incident`.

`second.py --write` writes cases.csv, `second.py` compares it. Equinoxes come from the sun's longitude (Meeus,
Astronomical Algorithms, chapter 25), not from the approximation that calendars print. Standard library only.
"""

import calendar
import math
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

TABLE = Path(__file__).with_name("cases.csv")


def sun_longitude(moment):
    t = (moment - datetime(2000, 1, 1, 12, tzinfo=timezone.utc)).total_seconds() / 86400 / 36525
    mean = 280.46646 + 36000.76983 * t + 0.0003032 * t * t
    m = math.radians(357.52911 + 35999.05029 * t - 0.0001537 * t * t)
    centre = ((1.914602 - 0.004817 * t) * math.sin(m) + (0.019993 - 0.000101 * t) * math.sin(2 * m)
              + 0.000289 * math.sin(3 * m))
    omega = math.radians(125.04 - 1934.136 * t)
    return (mean + centre - 0.00569 - 0.00478 * math.sin(omega)) % 360


def equinox(year, month):
    target = 0 if month == 3 else 180
    tokyo = ZoneInfo("Asia/Tokyo")
    for day in range(18, 27):
        end = datetime(year, month, day, tzinfo=tokyo) + timedelta(days=1)
        if (sun_longitude(end) - target + 180) % 360 - 180 >= 0:
            return date(year, month, day)
    raise ValueError(year)


def monday(year, month, nth):
    mondays = [week[0] for week in calendar.monthcalendar(year, month) if week[0]]
    return date(year, month, mondays[nth - 1])


def japan(year):
    """The holidays of a year as a set, built up rule by rule."""
    days = {date(year, m, d) for m, d in [(1, 1), (2, 11), (4, 29), (5, 3), (5, 4), (5, 5), (11, 3), (11, 23)]}
    days |= {monday(year, 1, 2), monday(year, 9, 3), equinox(year, 3), equinox(year, 9)}
    if year <= 2018:
        days.add(date(year, 12, 23))
    if year >= 2020:
        days.add(date(year, 2, 23))
    if year == 2019:
        days |= {date(2019, 5, 1), date(2019, 10, 22)}
    if year == 2020:
        days |= {date(2020, 7, 23), date(2020, 7, 24), date(2020, 8, 10)}
    elif year == 2021:
        days |= {date(2021, 7, 22), date(2021, 7, 23), date(2021, 8, 8)}
    else:
        days |= {monday(year, 7, 3), monday(year, 10, 2)}
        if year >= 2016:
            days.add(date(year, 8, 11))
    own = set(days)
    for day in sorted(own):
        if day.weekday() == 6:
            while day in days:
                day += timedelta(days=1)
            days.add(day)
    for day in own:
        between = day + timedelta(days=1)
        if between + timedelta(days=1) in own and between.weekday() != 6:
            days.add(between)
    return days


def offices_closed(day):
    return day.weekday() >= 5 or day in japan(day.year) or (day.month, day.day) in [
        (12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)]


def federal(year):
    def nth(month, weekday, n):
        found = [w[weekday] for w in calendar.monthcalendar(year, month) if w[weekday]]
        return date(year, month, found[n])
    fixed = [(1, 1), (7, 4), (11, 11), (12, 25)] + ([(6, 19)] if year >= 2021 else [])
    days = {nth(1, 0, 2), nth(2, 0, 2), nth(5, 0, -1), nth(9, 0, 0), nth(10, 0, 1), nth(11, 3, 3)}
    for month, day in fixed:
        at = date(year, month, day)
        days.add(at + timedelta(days={5: -1, 6: 1}.get(at.weekday(), 0)))
    return days


def us_closed(day):
    return day.weekday() >= 5 or day in federal(day.year) | federal(day.year + 1)


def jp_final(days):
    def due(events):
        day = events["aware"].astimezone(ZoneInfo("Asia/Tokyo")).date() + timedelta(days=days - 1)
        while offices_closed(day):
            day += timedelta(days=1)
        return day.isoformat()
    return due


def jp_guide(events):
    day = events["aware"].astimezone(ZoneInfo("Asia/Tokyo")).date()
    return f"{day + timedelta(days=2)}/{day + timedelta(days=4)}"


def four_days(start):
    def due(events):
        day = events[start].astimezone(ZoneInfo("America/New_York")).date()
        left = 4
        while left:
            day += timedelta(days=1)
            left -= not us_closed(day)
        return day.isoformat()
    return due


def stamp(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def hours(start, count):
    # Instants are counted in UTC: a local day with a change of the clock has 23 or 25 hours.
    return lambda events: stamp(events[start].astimezone(timezone.utc) + timedelta(hours=count))


def dora_initial(events):
    limit = events["aware"].astimezone(timezone.utc) + timedelta(hours=24)
    if "classified_major" not in events:
        return stamp(limit)
    classified = events["classified_major"].astimezone(timezone.utc)
    four = classified + timedelta(hours=4)
    return stamp(four if classified > limit else min(four, limit))


def dora_final(events):
    start = events["submitted:dora.intermediate"]
    year, month = start.year + start.month // 12, start.month % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    local = start.replace(year=year, month=month, day=day)
    # A local time that does not exist moves forward by what was skipped.
    return stamp(local.astimezone(timezone.utc).astimezone(local.tzinfo))


RULES = {
    "jp.appi.prelim": jp_guide, "jp.finsector": jp_guide, "jp.appi.final": None,
    "gdpr.33": hours("aware", 72), "dora.initial": dora_initial,
    "dora.intermediate": hours("submitted:dora.initial", 72), "dora.final": dora_final,
    "us.8k105": four_days("materiality_determined"), "us.8k105.amend": four_days("new_facts"),
}

T, B, N, P, L = "Asia/Tokyo", "Europe/Berlin", "America/New_York", "Europe/Paris", "Europe/London"

# (basis, obligation, facts, events, the answer by hand: None where only the script answers)
CASES = [
    # Japan: day 1 is the day of awareness, then 30 or 60 days; rolls over closed days.
    ("APPI rule 8: 30 days, day 1", "jp.appi.final", "sensitive_data", [("aware", "2024-06-03T10:00", T)], "2024-07-02"),
    ("APPI rule 8: 60 days for a wrongful purpose", "jp.appi.final", "wrongful_purpose", [("aware", "2024-06-03T10:00", T)], "2024-08-01"),
    ("APPI rule 8: last day a Saturday", "jp.appi.final", "sensitive_data", [("aware", "2024-06-07T10:00", T)], "2024-07-08"),
    ("APPI rule 8: last day a Sunday", "jp.appi.final", "sensitive_data", [("aware", "2024-06-08T10:00", T)], "2024-07-08"),
    ("APPI rule 8: Golden Week, 3 May is a Friday", "jp.appi.final", "sensitive_data", [("aware", "2024-04-04T09:00", T)], "2024-05-07"),
    ("APPI rule 8: year end, offices closed to 3 January", "jp.appi.final", "sensitive_data", [("aware", "2023-11-30T09:00", T)], "2024-01-04"),
    ("APPI rule 8: leap day is the last day", "jp.appi.final", "sensitive_data", [("aware", "2024-01-31T09:00", T)], "2024-02-29"),
    ("APPI rule 8: one minute before midnight", "jp.appi.final", "sensitive_data", [("aware", "2024-06-03T23:59", T)], "2024-07-02"),
    ("APPI rule 8: a UTC evening is Japan's next day", "jp.appi.final", "sensitive_data", [("aware", "2024-06-02T20:00", "UTC")], "2024-07-02"),
    ("APPI rule 8: Money Square, 13 July 2017", "jp.appi.final", "wrongful_purpose", [("aware", "2017-07-13T15:00", T)], "2017-09-11"),
    ("APPI guide: day 3 to day 5", "jp.appi.prelim", "sensitive_data", [("aware", "2024-06-03T10:00", T)], "2024-06-05/2024-06-07"),
    ("APPI guide: no rollover over a weekend", "jp.appi.prelim", "sensitive_data", [("aware", "2024-06-05T10:00", T)], "2024-06-07/2024-06-09"),
    ("APPI guide: no rollover over Golden Week", "jp.appi.prelim", "sensitive_data", [("aware", "2024-05-02T10:00", T)], "2024-05-04/2024-05-06"),
    ("APPI guide: fx-on, 2 June 2017", "jp.appi.prelim", "property_damage_risk", [("aware", "2017-06-02T10:00", T)], "2017-06-04/2017-06-06"),
    ("PPC Q4-12: any leak of a customer's data", "jp.finsector", "jp_finance_business", [("aware", "2024-06-03T10:00", T)], "2024-06-05/2024-06-07"),
    # The Union.
    ("GDPR 33: 72 hours", "gdpr.33", "eu_residents", [("aware", "2024-06-03T10:00", B)], "2024-06-06T08:00:00Z"),
    ("GDPR 33: hours run over a weekend", "gdpr.33", "eu_residents", [("aware", "2024-06-07T17:30", B)], "2024-06-10T15:30:00Z"),
    ("GDPR 33: the clock goes forward", "gdpr.33", "eu_residents", [("aware", "2024-03-30T12:00", B)], "2024-04-02T11:00:00Z"),
    ("GDPR 33: the clock goes back", "gdpr.33", "eu_residents", [("aware", "2024-10-26T12:00", B)], "2024-10-29T10:00:00Z"),
    ("GDPR 33: leap day", "gdpr.33", "eu_residents", [("aware", "2024-02-27T12:00", B)], "2024-03-01T11:00:00Z"),
    ("DORA: four hours after classification", "dora.initial", "dora_entity", [("aware", "2025-03-03T08:00", P), ("classified_major", "2025-03-03T10:00", P)], "2025-03-03T13:00:00Z"),
    ("DORA: not classified yet, 24 hours after awareness", "dora.initial", "dora_entity", [("aware", "2025-03-03T08:00", P)], "2025-03-04T07:00:00Z"),
    ("DORA: 24 hours come before classification + 4", "dora.initial", "dora_entity", [("aware", "2025-03-03T08:00", P), ("classified_major", "2025-03-04T06:00", P)], "2025-03-04T07:00:00Z"),
    ("DORA: classified after 24 hours", "dora.initial", "dora_entity", [("aware", "2025-03-03T08:00", P), ("classified_major", "2025-03-04T09:00", P)], "2025-03-04T12:00:00Z"),
    ("DORA: classified at 24 hours exactly", "dora.initial", "dora_entity", [("aware", "2025-03-03T08:00", P), ("classified_major", "2025-03-04T08:00", P)], "2025-03-04T07:00:00Z"),
    ("DORA: intermediate 72 hours after the initial", "dora.intermediate", "dora_entity", [("submitted:dora.initial", "2025-03-03T12:00", P)], "2025-03-06T11:00:00Z"),
    ("DORA: final one month after the intermediate", "dora.final", "dora_entity", [("submitted:dora.intermediate", "2025-03-06T12:00", P)], "2025-04-06T10:00:00Z"),
    ("DORA: 31 January and a month", "dora.final", "dora_entity", [("submitted:dora.intermediate", "2025-01-31T12:00", P)], "2025-02-28T11:00:00Z"),
    # The United States.
    ("8-K: Monday to Friday", "us.8k105", "sec_registrant", [("materiality_determined", "2024-06-03T10:00", N)], "2024-06-07"),
    ("8-K: over a weekend", "us.8k105", "sec_registrant", [("materiality_determined", "2024-06-06T10:00", N)], "2024-06-12"),
    ("8-K: on a Saturday, Monday is the first day", "us.8k105", "sec_registrant", [("materiality_determined", "2024-06-08T10:00", N)], "2024-06-13"),
    ("8-K: over Thanksgiving", "us.8k105", "sec_registrant", [("materiality_determined", "2024-11-26T10:00", N)], "2024-12-03"),
    ("8-K amendment: over Independence Day", "us.8k105.amend", "sec_registrant", [("new_facts", "2024-07-02T10:00", N)], "2024-07-09"),
]

# Only the script answers these.
for year, month, day, fact in [
    (2015, 8, 22, "sensitive_data"), (2016, 7, 13, "sensitive_data"), (2018, 11, 24, "sensitive_data"),
    (2019, 3, 30, "sensitive_data"), (2019, 4, 1, "sensitive_data"), (2019, 9, 23, "sensitive_data"),
    (2020, 6, 24, "sensitive_data"), (2020, 7, 12, "sensitive_data"), (2021, 7, 10, "sensitive_data"),
    (2021, 6, 23, "sensitive_data"), (2026, 8, 22, "sensitive_data"), (2026, 8, 24, "sensitive_data"),
    (2024, 12, 31, "wrongful_purpose"), (2025, 11, 1, "wrongful_purpose"), (2028, 1, 1, "wrongful_purpose"),
    (2032, 8, 22, "sensitive_data"), (2035, 2, 20, "sensitive_data"), (2026, 4, 4, "sensitive_data"),
    (2017, 10, 25, "wrongful_purpose"), (2022, 12, 1, "sensitive_data"),
]:
    CASES.append(("second script", "jp.appi.final", fact, [("aware", f"{year}-{month:02}-{day:02}T18:00", T)], None))
for moment, zone in [("2025-03-29T02:30", L), ("2025-10-25T01:30", L), ("2025-03-08T03:00", N), ("2025-11-01T03:00", N),
                     ("2027-12-30T23:59", B), ("2028-02-28T00:00", B), ("2025-06-01T00:00", T)]:
    CASES.append(("second script", "gdpr.33", "eu_residents", [("aware", moment, zone)], None))
for moment in ["2025-12-24T09:00", "2021-12-30T09:00", "2022-06-16T09:00", "2023-11-09T23:30", "2027-12-28T09:00"]:
    CASES.append(("second script", "us.8k105", "sec_registrant", [("materiality_determined", moment, N)], None))
for moment in ["2024-01-30T15:00", "2025-12-31T15:00", "2025-02-28T02:30", "2025-09-26T02:30"]:
    CASES.append(("second script", "dora.final", "dora_entity", [("submitted:dora.intermediate", moment, B)], None))


def lines():
    yield "number;basis;obligation;fact;events;due"
    for number, (basis, obligation, fact, events, by_hand) in enumerate(CASES, 1):
        moments = {name: datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(zone)) for name, at, zone in events}
        rule = RULES[obligation] or jp_final(60 if fact == "wrongful_purpose" else 30)
        due = rule(moments)
        if by_hand is not None and by_hand != due:
            raise SystemExit(f"case {number} ({basis}): by hand {by_hand}, computed {due}")
        told = " ".join(f"{name}={stamp(moments[name])}@{zone}" for name, _, zone in events)
        yield f"{number};{basis};{obligation};{fact};{told};{due}"


def main():
    text = "".join(f"{line}\n" for line in lines())
    if sys.argv[1:] == ["--write"]:
        TABLE.write_text(text, encoding="utf-8")
    stored = TABLE.read_text(encoding="utf-8").splitlines()
    wrong = [(a, b) for a, b in zip(stored, text.splitlines()) if a != b]
    for a, b in wrong:
        print(f"table  {a}\nscript {b}")
    if wrong or len(stored) != len(text.splitlines()):
        raise SystemExit("the table and the second script differ")
    by_hand = sum(case[4] is not None for case in CASES)
    print(f"deadlines: {len(CASES)} cases, {by_hand} of them by hand too; the table and the second script agree")


if __name__ == "__main__":
    main()

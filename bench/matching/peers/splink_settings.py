"""How a user of Splink sets it up for each set: the comparisons and rules of its own examples where it has one for the
set, and otherwise the same kind of them. For each: comparisons, rules to block by, rules that are surely matches with
the share of matches that they find, rules to train by, and where it was tried, more rules to block by."""

import splink.comparison_library as cl
from splink import block_on


def frequent(comparison):
    return comparison.configure(term_frequency_adjustments=True)


def surely(*rules):
    return [block_on(*rule) for rule in rules]


def fake_1000():
    return dict(
        comparisons=[
            cl.NameComparison("first_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            frequent(cl.ExactMatch("city")),
            cl.EmailComparison("email"),
        ],
        rules=[block_on("first_name", "city"), block_on("surname"), block_on("email"), block_on("dob")],
        sure=(surely(("first_name", "surname", "dob"), ("email",)), 0.7),
        train=[block_on("first_name", "surname"), block_on("dob"), block_on("email")],
    )


def febrl():
    return dict(
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("date_of_birth", input_is_string=True),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            frequent(cl.ExactMatch("street_number")),
            frequent(cl.DamerauLevenshteinAtThresholds("postcode", [1, 2])),
        ],
        rules=[
            block_on("soc_sec_id"),
            block_on("given_name"),
            block_on("surname"),
            block_on("date_of_birth"),
            block_on("postcode"),
            block_on("street_number", "address_1"),
        ],
        sure=(surely(("given_name", "surname", "date_of_birth"), ("soc_sec_id",)), 0.9),
        train=[block_on("date_of_birth"), block_on("given_name"), block_on("postcode")],
    )


def historical_a():
    return dict(
        derive="*, nullif(concat_ws(' ', first_name, surname), '') AS first_name_surname",
        comparisons=[
            cl.ForenameSurnameComparison(
                "first_name", "surname", forename_surname_concat_col_name="first_name_surname"
            ),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            cl.PostcodeComparison("postcode_fake"),
            frequent(cl.ExactMatch("birth_place")),
            frequent(cl.ExactMatch("occupation")),
        ],
        rules=[
            block_on("substr(first_name,1,3)", "substr(surname,1,4)"),
            block_on("surname", "dob"),
            block_on("first_name", "dob"),
            block_on("postcode_fake", "first_name"),
            block_on("postcode_fake", "surname"),
            block_on("dob", "birth_place"),
            block_on("postcode_fake", "dob"),
            block_on("postcode_fake", "occupation"),
            block_on("dob", "occupation"),
        ],
        sure=(surely(("first_name", "surname", "dob"), ("dob", "postcode_fake")), 0.6),
        train=[block_on("first_name", "surname"), block_on("dob")],
        # Who wants to find more, and can wait.
        more=[
            block_on("first_name", "birth_place"),
            block_on("surname", "birth_place"),
            block_on("surname", "occupation"),
            block_on("surname", "substr(dob,1,4)"),
            block_on("first_name", "substr(dob,1,4)", "occupation"),
            block_on("surname", "substr(postcode_fake,1,3)"),
            block_on("first_name", "substr(postcode_fake,1,3)"),
            block_on("substr(dob,1,7)", "substr(first_name,1,2)"),
        ],
    )


def people(columns=("birth_date", "ssn", "address", "sex")):
    comparisons = [
        cl.NameComparison("first_name"),
        frequent(cl.ExactMatch("middle_initial")),
        cl.NameComparison("last_name"),
    ]
    rules = [block_on("first_name", "last_name")]
    sure = []
    train = [block_on("first_name", "last_name")]
    if "birth_date" in columns:
        comparisons.append(cl.DateOfBirthComparison("birth_date", input_is_string=True))
        rules += [block_on("birth_date", "first_name"), block_on("birth_date", "last_name")]
        sure += [("first_name", "last_name", "birth_date")]
        train += [block_on("birth_date")]
    if "ssn" in columns:
        comparisons.append(cl.DamerauLevenshteinAtThresholds("ssn", [1, 2]))
        rules += [block_on("ssn")]
        sure += [("ssn",)]
        train += [block_on("ssn")]
    if "address" in columns:
        comparisons += [
            frequent(cl.JaroWinklerAtThresholds("street_name", [0.92, 0.8])),
            frequent(cl.DamerauLevenshteinAtThresholds("street_number", [1])),
        ]
        rules += [block_on("street_number", "street_name", "first_name")]
        sure += [("first_name", "last_name", "street_number", "street_name")]
    if "sex" in columns:
        comparisons.append(cl.ExactMatch("sex"))
        rules += [block_on("substr(first_name,1,3)", "substr(last_name,1,4)", "sex")]
    return dict(
        derive="*, substr(middle_name, 1, 1) AS middle_initial",
        comparisons=comparisons,
        rules=rules,
        sure=(surely(*sure), 0.7),
        train=train,
    )


def persons():
    return dict(
        derive="* REPLACE (nullif(right(regexp_replace(phone, '[^0-9]', '', 'g'), 10), '') AS phone)",
        comparisons=[
            cl.NameComparison("first_name"),
            cl.NameComparison("last_name"),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.EmailComparison("email"),
            frequent(cl.DamerauLevenshteinAtThresholds("phone", [1, 2])),
            frequent(cl.JaroWinklerAtThresholds("street", [0.95, 0.88])),
            frequent(cl.DamerauLevenshteinAtThresholds("postcode", [1])),
        ],
        rules=[
            block_on("email"),
            block_on("phone"),
            block_on("first_name", "birth_date"),
            block_on("last_name", "birth_date"),
            block_on("first_name", "last_name", "postcode"),
            block_on("first_name", "street"),
        ],
        sure=(surely(("first_name", "last_name", "birth_date"), ("first_name", "email")), 0.6),
        # A birth date alone is shared by millions of pairs.
        train=[
            block_on("first_name", "last_name"),
            block_on("birth_date", "last_name"),
            block_on("birth_date", "first_name"),
        ],
        # Who has seen a frequency table leaves these out.
        placeholders={"email": 20, "phone": 20, "birth_date": None},
    )


SETTINGS = {
    "fake_1000": fake_1000,
    "febrl3": febrl,
    "febrl4": febrl,
    "historical_a": historical_a,
    "people": people,
    "payroll_to_tax": lambda: people(("ssn", "address")),
    "census_to_census": lambda: people(("birth_date", "address", "sex")),
    "census_to_ssa": lambda: people(("birth_date", "sex")),
    "persons": persons,
}

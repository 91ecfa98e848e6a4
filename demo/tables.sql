-- The tables of a company that has never heard of pg_cdp, and their rows. Everything is text but what must not be:
-- a system holds what was typed into it.

CREATE SCHEMA shop;
CREATE SCHEMA office;

CREATE TABLE shop.orders (
    order_no     bigint PRIMARY KEY,
    customer_id  bigint NOT NULL,
    ordered_on   date NOT NULL,
    quantity     integer NOT NULL,
    amount       numeric(10, 2) NOT NULL
);

CREATE TABLE office.census_2020 (
    record_no bigint PRIMARY KEY, first_name text, middle_initial text, last_name text, age text,
    date_of_birth text, street_number text, street_name text, unit_number text, city text, state text,
    zipcode text, housing_type text, relationship_to_reference_person text, sex text,
    race_ethnicity text, year text
);

CREATE TABLE office.census_2030 (LIKE office.census_2020 INCLUDING ALL);

CREATE TABLE office.social_security (
    record_no bigint PRIMARY KEY, ssn text, first_name text, middle_name text, last_name text,
    date_of_birth text, sex text, event_type text, event_date text
);

CREATE TABLE office.tax_returns (
    record_no bigint PRIMARY KEY, first_name text, middle_initial text, last_name text, ssn text,
    street_number text, street_name text, unit_number text, po_box text, city text, state text,
    zipcode text, spouse_first_name text, spouse_middle_initial text, spouse_last_name text,
    spouse_ssn text, dependent_1_first_name text, dependent_1_last_name text, dependent_1_ssn text,
    dependent_2_first_name text, dependent_2_last_name text, dependent_2_ssn text,
    dependent_3_first_name text, dependent_3_last_name text, dependent_3_ssn text,
    dependent_4_first_name text, dependent_4_last_name text, dependent_4_ssn text, tax_year text
);

CREATE TABLE office.wage_reports (
    record_no bigint PRIMARY KEY, employer_id text, ssn text, wages text, employer_name text,
    employer_street_number text, employer_street_name text, employer_unit_number text,
    employer_city text, employer_state text, employer_zipcode text, first_name text,
    middle_initial text, last_name text, street_number text, street_name text, unit_number text,
    po_box text, city text, state text, zipcode text, form text, tax_year text
);

\copy shop.orders FROM PROGRAM 'gzip -dc data/purchases.csv.gz' (FORMAT csv, HEADER)
\copy office.census_2020 FROM PROGRAM 'gzip -dc data/census_2020.csv.gz' (FORMAT csv, HEADER)
\copy office.census_2030 FROM PROGRAM 'gzip -dc data/census_2030.csv.gz' (FORMAT csv, HEADER)
\copy office.social_security FROM PROGRAM 'gzip -dc data/ssa_2020.csv.gz' (FORMAT csv, HEADER)
\copy office.tax_returns FROM PROGRAM 'gzip -dc data/tax1040_2020.csv.gz' (FORMAT csv, HEADER)
\copy office.wage_reports FROM PROGRAM 'gzip -dc data/w2_2020.csv.gz' (FORMAT csv, HEADER)

//! What a column means, by its name.

use super::Meaning;

/// Names of columns, without what is no letter or digit, and what they mean. The first that fits counts;
/// an asterisk stands for anything.
const NAMES: [(&str, Meaning); 96] = [
    ("firstname", Meaning::FirstName),
    ("givenname", Meaning::FirstName),
    ("givennames", Meaning::FirstName),
    ("forename", Meaning::FirstName),
    ("first", Meaning::FirstName),
    ("fname", Meaning::FirstName),
    ("namefirst", Meaning::FirstName),
    ("vorname", Meaning::FirstName),
    ("prenom", Meaning::FirstName),
    ("nombre", Meaning::FirstName),
    ("middlename", Meaning::MiddleName),
    ("middlenames", Meaning::MiddleName),
    ("middleinitial", Meaning::MiddleName),
    ("middle", Meaning::MiddleName),
    ("mname", Meaning::MiddleName),
    ("lastname", Meaning::LastName),
    ("familyname", Meaning::LastName),
    ("surname", Meaning::LastName),
    ("last", Meaning::LastName),
    ("lname", Meaning::LastName),
    ("namelast", Meaning::LastName),
    ("nachname", Meaning::LastName),
    ("apellido", Meaning::LastName),
    ("apellidos", Meaning::LastName),
    ("fullname", Meaning::FullName),
    ("displayname", Meaning::FullName),
    ("personname", Meaning::FullName),
    ("customername", Meaning::FullName),
    ("contactname", Meaning::FullName),
    ("name", Meaning::FullName),
    ("birthdate", Meaning::BirthDate),
    ("dateofbirth", Meaning::BirthDate),
    ("birthday", Meaning::BirthDate),
    ("dob", Meaning::BirthDate),
    ("bday", Meaning::BirthDate),
    ("borndate", Meaning::BirthDate),
    ("born", Meaning::BirthDate),
    ("geburtsdatum", Meaning::BirthDate),
    ("email", Meaning::Email),
    ("emailaddress", Meaning::Email),
    ("mail", Meaning::Email),
    ("*email*", Meaning::Email),
    ("phone", Meaning::Phone),
    ("phonenumber", Meaning::Phone),
    ("telephone", Meaning::Phone),
    ("tel", Meaning::Phone),
    ("mobile", Meaning::Phone),
    ("mobilenumber", Meaning::Phone),
    ("cell", Meaning::Phone),
    ("*phone*", Meaning::Phone),
    ("streetnumber", Meaning::HouseNumber),
    ("housenumber", Meaning::HouseNumber),
    ("houseno", Meaning::HouseNumber),
    ("hausnummer", Meaning::HouseNumber),
    ("street", Meaning::Street),
    ("streetname", Meaning::Street),
    ("streetaddress", Meaning::Street),
    ("address", Meaning::Street),
    ("address1", Meaning::Street),
    ("addressline1", Meaning::Street),
    ("addr", Meaning::Street),
    ("strasse", Meaning::Street),
    ("unit", Meaning::Unit),
    ("unitnumber", Meaning::Unit),
    ("apartment", Meaning::Unit),
    ("apt", Meaning::Unit),
    ("flat", Meaning::Unit),
    ("address2", Meaning::Unit),
    ("addressline2", Meaning::Unit),
    ("postcode", Meaning::Postcode),
    ("postalcode", Meaning::Postcode),
    ("zip", Meaning::Postcode),
    ("zipcode", Meaning::Postcode),
    ("plz", Meaning::Postcode),
    ("city", Meaning::City),
    ("town", Meaning::City),
    ("suburb", Meaning::City),
    ("ort", Meaning::City),
    ("state", Meaning::Region),
    ("region", Meaning::Region),
    ("province", Meaning::Region),
    ("county", Meaning::Region),
    ("country", Meaning::Country),
    ("countrycode", Meaning::Country),
    ("gender", Meaning::Gender),
    ("sex", Meaning::Gender),
    ("ssn", Meaning::NationalId),
    ("socialsecuritynumber", Meaning::NationalId),
    ("nationalid", Meaning::NationalId),
    ("taxid", Meaning::NationalId),
    ("socsecid", Meaning::NationalId),
    ("passport", Meaning::NationalId),
    ("location", Meaning::Location),
    ("occupation", Meaning::Category),
    ("birthplace", Meaning::Category),
    ("race", Meaning::Category),
];

impl Meaning {
    /// What a column of that name means; none where the name does not tell.
    pub fn of_column(name: &str) -> Option<Self> {
        let bare: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        NAMES
            .iter()
            .find(|(known, _)| match known.strip_prefix('*') {
                Some(part) => bare.contains(part.trim_end_matches('*')),
                None => bare == *known,
            })
            .map(|(_, meaning)| *meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_tell_what_they_mean() {
        for (name, meaning) in [
            ("first_name", Some(Meaning::FirstName)),
            ("LastName", Some(Meaning::LastName)),
            ("work_email", Some(Meaning::Email)),
            ("Home Phone", Some(Meaning::Phone)),
            ("date-of-birth", Some(Meaning::BirthDate)),
            ("zip", Some(Meaning::Postcode)),
            ("id", None),
            ("created_at", None),
            ("username", None),
            ("", None),
        ] {
            assert_eq!(Meaning::of_column(name), meaning, "{name}");
        }
    }
}

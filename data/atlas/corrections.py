"""The sources as they stand, set right: what is out of date, misspelt, disputed or wrong in them, and why."""

ODD_CLOCKS = {"Africa/Casablanca", "Africa/El_Aaiun"}  # they go back in Ramadan instead of forward in summer
YEAR = 2026  # the year whose clock changes the time zones describe

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
NOT_COUNTRIES = {"AN", "AQ", "BV", "CS", "GS", "HM", "IO", "TF", "UM"}  # dissolved, or without a people of their own
TERRITORIES = {
    "AI", "AS", "AW", "AX", "BL", "BM", "BQ", "CC", "CK", "CW", "CX", "FK", "FO", "GF", "GG", "GI",
    "GL", "GP", "GU", "HK", "IM", "JE", "KY", "MF", "MO", "MP", "MQ", "MS", "NC", "NF", "NU", "PF",
    "PM", "PN", "PR", "RE", "SH", "SJ", "SX", "TC", "TK", "VG", "VI", "WF", "YT",
}  # fmt: skip
DISPUTED = {"EH", "PS", "TW", "XK"}

# GeoNames as it stands, set right: names in today's full spelling, and facts that are out of date or wrong.
NAMES = {
    "AX": "Åland Islands", "BL": "Saint Barthélemy", "BQ": "Caribbean Netherlands", "CC": "Cocos (Keeling) Islands",
    "CW": "Curaçao", "NL": "Netherlands", "PN": "Pitcairn Islands", "RE": "Réunion", "ST": "São Tomé and Príncipe",
    "TL": "Timor-Leste", "VA": "Vatican City",
}  # fmt: skip
ALIASES = {"AE": ["UAE"], "CZ": ["Czech Republic"], "GB": ["UK"], "US": ["United States of America", "USA"]}
CAPITALS = {
    "AG": "Saint John\u2019s", "BR": "Brasília", "CM": "Yaoundé", "CO": "Bogotá", "CR": "San José", "CW": "Willemstad",
    "FO": "Tórshavn", "GD": "Saint George's", "GG": "Saint Peter Port", "GU": "Hagåtña", "IS": "Reykjavík",
    "KZ": "Astana", "NC": "Nouméa", "PY": "Asunción", "ST": "São Tomé", "TG": "Lomé", "TO": "Nuku\u2018alofa",
    "VU": "Port-Vila", "WF": "Mata-Utu", "MM": "Nay Pyi Taw",
}  # fmt: skip
NO_CAPITAL = {"EH", "IL", "LK", "PS", "HK", "MO", "TK", "PW"}  # disputed, none, or not the one GeoNames has
CLOCKS = {"VN": "Asia/Ho_Chi_Minh"}  # GeoNames puts the north under Asia/Bangkok
CITY_NAMES = {"Ulan Bator": "Ulaanbaatar", "Köln": "Cologne", "Macau": "Macao", "Washington": "Washington, D.C."}
CURRENCIES = {"BG": "EUR"}  # since January 2026
CALLING = {
    "PN": (),
    "VA": (),
    "XK": ("+383",),
    "AX": ("+358",),
    "SX": ("+1-721",),
    "DO": ("+1-809", "+1-829", "+1-849"),
}
# The CLDR counts some languages as official that are no longer, or only in a region; empty: better not said.
OFFICIAL = {
    "AS": "sm en", "BF": "", "BW": "en", "CW": "nl pap en", "DZ": "ar", "EC": "es", "ER": "", "IL": "he",
    "IQ": "ar ku", "KM": "ar fr", "MA": "ar tzm", "ME": "", "MG": "mg fr", "MK": "mk sq", "ML": "", "MU": "en",
    "MW": "en", "NE": "", "NG": "en", "NO": "no", "PE": "es", "SD": "ar", "PF": "fr", "RW": "rw en fr sw", "SJ": "no",
    "TN": "ar", "TW": "zh", "ZA": "zu xh af nso en tn st ts ss ve nr",
}  # fmt: skip
IN_PRACTICE = {"AU", "CC", "GU", "MP", "MX", "NZ", "PR", "US", "VA", "VI"}  # official without a law that says so
LANGUAGE_NAMES = {
    "bn": "Bengali", "kl": "Greenlandic", "na": "Nauruan", "rn": "Kirundi", "tkl": "Tokelauan", "tvl": "Tuvaluan",
}  # fmt: skip
CURRENCY_NAMES = {
    "GYD": "Guyanese Dollar", "KGS": "Kyrgyzstani Som", "SHP": "Saint Helena Pound", "XCG": "Caribbean Guilder",
}  # fmt: skip
NO_TLD = {"BL", "MF", "XK"}
NO_AREA = {"MC", "VA"}  # given as 1 and 0 km2
NOT_NEIGHBOURS = [{"US", "CU"}]  # a leased base is no border
ALSO_NEIGHBOURS = [("BW", "ZM"), ("CN", "HK"), ("CN", "MO")]
NAMESAKES_OF_ELEMENTS = {("DE", "Darmstadt", False), ("RU", "Dubna", False), ("US", "Berkeley", True)}
NOT_CITIES = {  # districts counted as cities, towns with the figures of their district, some in disputed areas
    "Borama", "Najafgarh", "Port-de-Paix", "Pudong", "Puxi", "Sokhumi", "Srinagar", "Takeo", "Touba", "Wuzhong",
}  # fmt: skip

"""Words that synthetic persons are made of. The common names are in order of how common they are."""

FEMALE = """mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty sandra margaret ashley
kimberly emily donna michelle carol amanda melissa deborah stephanie rebecca sharon laura cynthia dorothy amy kathleen angela
shirley emma brenda pamela nicole anna samantha katherine christine debra rachel carolyn janet maria olivia heather helen
catherine diane julie victoria joyce lauren kelly christina ruth joan virginia judith evelyn hannah andrea megan cheryl
jacqueline madison teresa abigail sophia martha sara gloria janice kathryn ann isabella judy charlotte julia grace amber alice
jean denise frances danielle marilyn natalie beverly diana brittany theresa kayla alexis doris lori tiffany rosa carmen ana
lucia elena fatima aisha mei yuki priya ingrid chantal noemi beatriz renee simone yvonne claudia monica valerie leah naomi""".split()

MALE = """james robert john michael david william richard joseph thomas christopher charles daniel matthew anthony mark donald
steven andrew paul joshua kenneth kevin brian timothy ronald george jason edward jeffrey ryan jacob nicholas gary eric jonathan
stephen larry justin scott brandon benjamin samuel gregory alexander patrick frank raymond jack dennis jerry tyler aaron jose
adam nathan henry zachary douglas peter kyle noah ethan jeremy christian walter keith austin roger terry sean gerald carl
dylan harold jordan jesse bryan lawrence arthur gabriel bruce logan billy joe alan juan elijah willie albert wayne randy
vincent mason roy ralph bobby russell bradley philip eugene carlos luis miguel omar ahmed wei hiroshi raj lars pierre marco
antonio pedro sergei ivan felix oscar hugo leon max theodore martin victor edwin frederick leonard howard ernest francis""".split()

LAST = """smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson
thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson walker young allen king
wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell carter roberts gomez phillips
evans turner diaz parker cruz edwards collins reyes stewart morris morales murphy cook rogers gutierrez ortiz morgan cooper
peterson bailey reed kelly howard ramos kim cox ward richardson watson brooks chavez wood james bennett gray mendoza ruiz
hughes price alvarez castillo sanders patel myers long ross foster jimenez powell jenkins perry russell sullivan bell coleman
butler henderson barnes gonzales fisher vasquez simmons romero jordan patterson alexander hamilton graham reynolds griffin
wallace moreno west cole hayes bryant herrera gibson ellis tran medina aguilar stevens murray ford castro marshall owens
harrison fernandez mcdonald woods washington kennedy wells vargas henry chen freeman webb tucker guzman burns crawford olson
simpson porter hunter gordon mendez silva shaw snyder mason dixon munoz hunt hicks holmes palmer wagner black robertson boyd
stone salazar fox warren mills meyer rice schmidt garza daniels ferguson nichols stephens soto weaver ryan gardner payne grant
dunn kelley spencer hawkins arnold pierce hansen peters santos hart bradley knight elliott cunningham duncan armstrong hudson
carroll lane riley andrews alvarado ray delgado berry perkins hoffman johnston matthews pena richards contreras willis carpenter
lawrence sandoval obrien mccarthy schneider kowalski novak rossi muller jensen larsen dubois moreau haddad cohen levy singh
khan ahmed tanaka suzuki park choi wang zhang liu ivanov petrov papadopoulos oneill macdonald fitzgerald vandenberg""".split()

# Rarer names are put together, so that there are as many as a country has.
LAST_STARTS = """ab al an ar ash bal ban bar beck ben ber bish blan bor bran breck brid bur cal can car chad chan clay cor crad
dal dan dar del den dor dray dun ed el en fair far fen fin gal gar gil glen gor gran had hal ham han har hart haw hel hol hor
ing jar kel ken kir kna lam lang lar lat len lin lor lud mac mal man mar mel mer mil mor nash nor oak or os pal par pem pen pil
por quin rad ram ran rat red ren ric rob ros row rud sal san sel shel sher sil som stan star sten sut tal tan tar thor tol tor
tre und val van ver wal war wat wel wen wes whit wil win wol wor yar zan zim""".split()
LAST_MIDDLES = """ber bo by ca che da de den der do en er fer ga ger go in ing ka ken ker la ler li lo ma mer mi mo na ne ner
no o ra ri ro sa ser sha so ta ter ti to va ver vi wa wi""".split()
LAST_ENDS = """ack ard ball beck berg bert borne bury by chak cki cliffe combe cott craft croft dale dell den der don dorf es ett
feld field ford gate gren ham hart holm hurst ini kamp ker ko land ler ley lin lock low lund man mann mark mont more mund ness
nik off oski quist rath rick ridge rock rup sen ser shaw sky smith son stad ster stone strom ton top vale vich vik ville ward
way well wick win wood worth zak""".split()
FIRST_STARTS = "a al an ari be bri ca cel da del e el fa ge gi ha i ja ji ka ke la le lu ma me mi na ni o pa ra ri sa se sha ta te va vi ya za".split()
FIRST_MIDDLES = "da de la le li lo ma mi na ni ra ri ro sha ta ti to va vi".split()
ENDS_OF_WOMEN = "a ah elle ette ia ina isha issa ita lyn na nda ra ria ssa".split()
ENDS_OF_MEN = "an ard el en er ias in io is o on or ric us vin".split()

NICKNAMES = {
    "alexander": "alex xander", "andrew": "andy drew", "anthony": "tony", "benjamin": "ben benny", "charles": "charlie chuck",
    "christopher": "chris", "daniel": "dan danny", "david": "dave", "donald": "don", "douglas": "doug", "edward": "ed eddie ted",
    "francis": "frank", "frederick": "fred", "gregory": "greg", "henry": "hank harry", "jacob": "jake", "james": "jim jimmy jamie",
    "jeffrey": "jeff", "john": "jack johnny", "jonathan": "jon", "joseph": "joe joey", "joshua": "josh", "kenneth": "ken kenny",
    "lawrence": "larry", "leonard": "len lenny", "matthew": "matt", "michael": "mike mick", "nathan": "nate", "nicholas": "nick",
    "patrick": "pat", "peter": "pete", "philip": "phil", "raymond": "ray", "richard": "rick dick rich", "robert": "bob bobby rob",
    "ronald": "ron", "russell": "russ", "samuel": "sam", "stephen": "steve", "steven": "steve", "theodore": "ted theo",
    "thomas": "tom tommy", "timothy": "tim", "victor": "vic", "vincent": "vince", "walter": "walt", "william": "bill will billy",
    "zachary": "zach", "abigail": "abby", "amanda": "mandy", "barbara": "barb", "catherine": "cathy kate", "christina": "tina chris",
    "christine": "chris", "cynthia": "cindy", "deborah": "debbie deb", "debra": "debbie", "dorothy": "dot", "elizabeth": "liz beth betty",
    "isabella": "bella", "jacqueline": "jackie", "jennifer": "jen jenny", "jessica": "jess", "judith": "judy", "katherine": "kate kathy katie",
    "kathleen": "kathy", "kathryn": "kathy kate", "kimberly": "kim", "margaret": "maggie peggy meg", "melissa": "missy", "nicole": "nikki",
    "pamela": "pam", "patricia": "pat patty trish", "rebecca": "becky", "samantha": "sam", "sandra": "sandy", "stephanie": "steph",
    "susan": "sue susie", "teresa": "terry", "theresa": "terry", "valerie": "val", "victoria": "vicky", "virginia": "ginny",
}
NICKNAMES = {name: short.split() for name, short in NICKNAMES.items()}

STREETS = """main oak maple cedar elm washington lake hill park pine walnut spring north ridge church willow mill river sunset
jackson highland forest meadow chestnut franklin lincoln jefferson madison dogwood hickory adams monroe cherry spruce locust
college school center broad market water front union prospect pleasant grove valley orchard garden summit birch poplar magnolia
sycamore juniper laurel holly aspen cypress redwood magnolia harrison grant wilson taylor cleveland roosevelt kennedy king
queen victoria albert george charles york windsor oxford cambridge bristol canterbury essex sussex devon surrey chapel bridge
railroad depot canal harbor beach ocean bay island shore cliff canyon mesa desert prairie eagle hawk deer fox bear wolf rabbit
quail robin cardinal bluebird heron swan pheasant partridge meadowlark second third fourth fifth sixth seventh eighth ninth""".split()
KINDS = [("street", "st"), ("avenue", "ave"), ("road", "rd"), ("drive", "dr"), ("lane", "ln"), ("court", "ct"), ("place", "pl"), ("boulevard", "blvd"), ("circle", "cir"), ("terrace", "ter")]
CITY_STARTS = """spring green river lake fair clear oak maple cedar stone west east north south new old high sun silver gold
iron red white black blue brook mill bridge wood glen ash elm""".split()
CITY_ENDS = "field ville ton burg ford dale view port wood land haven side mont ham bury".split()
HOSTS = [("gmail.com", 40), ("yahoo.com", 18), ("hotmail.com", 14), ("outlook.com", 8), ("icloud.com", 6), ("aol.com", 6), ("comcast.net", 4), ("mail.com", 2), ("example.org", 1), ("live.com", 1)]
NO_EMAIL = ["none@none.com", "noemail@example.com", "na@na.com", "test@test.com", "unknown@unknown.com", "no@email.com"]
NO_PHONE = ["0000000000", "9999999999", "5555555555", "1234567890"]
NO_NAME = ["unknown", "n/a", "test", "customer"]

// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"strings"
)

// Words that distinguish a pair from prose. All are lower-case.

func newWords(text string, others ...words) words {
	w := words{}
	for _, word := range strings.Fields(text) {
		w[word] = true
	}
	for _, other := range others {
		maps.Copy(w, other)
	}
	return w
}

// with adds entries that hold a blank.
func (w words) with(entries ...string) words {
	for _, entry := range entries {
		w[entry] = true
	}
	return w
}

var (
	// What a name is for, where the value says which: password for user: bob
	isNoun = newWords("user username users account accounts login email mail name client clients host server" +
		" database db service key id role request session realm domain application app url uri path" +
		" file entry type field column connection device device: access authentication")
	// Types of a declaration, and of a schema's field.
	isType = newWords("str string bytes bytestring text varchar nvarchar char wchar_t byte bool boolean int integer" +
		" number float object any const final auto secretstr secretbytes optional option charsequence" +
		" securestring cstring")
	// Conditions that a value names instead of being one.
	isState = newWords("prompt same-origin include omit chauthtok requested sent done completed complete started" +
		" finished initiated scheduled expired invalid incorrect missing required disabled enabled" +
		" denied accepted ok okay failed failure wrong blank unset set changed unchanged present" +
		" absent valid verified unverified validated revoked refreshed renewed rotated updated created" +
		" deleted removed added active inactive pending optional unknown rejected granted blocked" +
		" locked unlocked mismatch mismatched matched match not_set not-set notset unavailable" +
		" available unsupported supported provided generated regenerated stored loaded cached" +
		" encrypted decrypted hashed found unauthorized unauthorised forbidden success successful" +
		" succeeded error skipped ignored used unused issued received acquired released obtained" +
		" parsed malformed corrupt corrupted exists configured unconfigured specified unspecified" +
		" omitted redacted sensitive protected confirmed unconfirmed checked unchecked passed cleared" +
		" reset reused allowed disallowed prohibited not-found not_found notfound too_short too_long" +
		" too-short too-long" +
		" all amd64 arm64 aarch64 x86_64 i386 i686 armhf armel ppc64 ppc64le ppc64el s390x riscv64 mips64el noarch")
	// A sentence that goes on after `name: ` begins with one of these.
	isSentence = newWords("files compat return break case await yield lambda throw raise else function typeof async if"+
		" must should cannot can can't could would will won't may might is isn't was wasn't were are"+
		" has have had does doesn't did didn't do field value this that these ensure too at use please"+
		" minimum maximum min max least needs contains authentication only no not for from in of or"+
		" and by the a an your enter unable unexpected expected check verification length between with"+
		" without when while because unless until after before try trying using waiting couldn't wrong"+
		" new old", isState)
	// After a number: password: 8 characters required
	isUnit = newWords("character characters char chars digit digits letter letters symbol symbols word words byte" +
		" bytes bit bits attempt attempts try tries retries failure failures day days hour hours" +
		" minute minutes second seconds week weeks month months year years times time of or and to" +
		" left remaining more items entries errors error found rows row is are was were has have ms s" +
		" min h")
	// A sentence about a secret has one of these.
	isVerb = newWords("must should is isn't was wasn't may can't cannot required least most has does doesn't not" +
		" characters invalid incorrect blank empty")
	// Before a token that a parser saw, or a pin of a circuit.
	isParsed = newWords("near input unexpected expected illegal unrecognized unrecognised offending stray lookahead" +
		" parser lexer syntax gpio rx tx led io i/o digital analog analogue pwm interrupt irq")
	// The first word of a function that is given a value …
	isGiving = newWords("set with put add use update change hash check verify validate encode encrypt new define" +
		" setenv putenv setdefault setproperty setheader addheader append insert header property store" +
		" param register assign withheader withproperty env override default")
	// … and of one that only names where it is.
	isReading = newWords("flag flags viper pflag click typer argparse parser get read find fetch has is delete remove" +
		" lookup load list describe require need missing no parse expect unexpected match getenv" +
		" getpass input prompt environ var file open resolve ref sub getatt from_env getproperty" +
		" getstring getsecret setting config env vault ask select pop query format")
	// Functions in which a value is only wrapped, whatever their first word.
	isWrapper = newWords("some just optional secret secretstr password string str token ok")
	// Things that have names of their own: secret "tls" not found
	isNamed = newWords("secret secrets credential credentials pass")
	// Words with a digit that are no password.
	isAlgorithm = newWords("base64 base32 base58 sha1 sha256 sha384 sha512 md5 uuid4 uuid7 oauth2 oauth1 utf8 x509" +
		" ed25519 aes128 aes256 rs256 hs256 es256 s3 v1 v2 v3 v4 ipv4 ipv6 p12 pkcs8 pkcs12 ec2 k8s r2" +
		" b64 oidc2 u2f 2fa mfa2")
	// Where a value is taken from.
	isSource = newWords("var local module data each self this cls config conf settings env environ os process args" +
		" params request req options opts ctx context secrets rails system vault values props state" +
		" form body user credentials creds account session api client app cfg aws google kubernetes" +
		" random_password aws_secretsmanager_secret_version aws_ssm_parameter" +
		" google_secret_manager_secret_version azurerm_key_vault_secret vault_generic_secret" +
		" dependency include inputs input event record row payload response resp result entity dto obj" +
		" object parameters properties stringdata _env")
	// Between a name and whom it is about.
	about = []string{" for ", " of "}
	// What a name of a parameter says.
	secretive = []string{"pass", "pwd", "token", "secret", "key", "cred", "param", "auth", "pin"}
	// What a sentence about a thing with a name goes on with.
	aboutThings = []string{" not found", " does not exist", " already exists", " created", " deleted", " unchanged", " configured", " is forbidden", " is not ", " in namespace"}
)

// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
)

// The probes of rules for forms: command lines, files, names and values apart.

// isValueAttribute: value=, val= or content=, perhaps with blanks before the sign.
var isValueAttribute = sharedProbe(probe{sign: "=", after: afterLetter | afterBlank, test: func(s string, t token) bool {
	word := strings.TrimRight(s[max(0, t.start-longestBlank-len("content")):t.start], " \t")
	for _, name := range [...]string{"value", "val", "content"} {
		if len(word) >= len(name) && equalFoldASCII(word[len(word)-len(name):], name) {
			return true
		}
	}
	return false
}})

// longestBlank is how many blanks the patterns take before and after a sign.
const longestBlank = 8

func isAfterBlank(s string, t token) bool { return t.start > 0 && isBlank(s[t.start-1]) }

func beginsOption(s string, t token) bool {
	if t.start > 0 && (isPlainNameChar(s[t.start-1]) || s[t.start-1] == '/') {
		return false
	}
	rest := strings.TrimPrefix(s[t.end:], "-")
	return rest != "" && isLetter(rest[0])
}

// beginsPassOption: an option with pass in its name, or one of the short ones.
func beginsPassOption(s string, t token) bool {
	const longest = 24
	if t.start == 0 || strings.IndexByte("- \t\r\n\"'(,[", s[t.start-1]) < 0 {
		return false
	}
	option := s[t.end:min(len(s), t.end+longest)]
	n := 0
	for n < len(option) && isAlnum(option[n]) {
		n++
	}
	option = lowerASCII(option[:n])
	return option == "pw" || option == "k" || option == "kdfopt" || strings.Contains(option, "pass")
}

// isWordOfThree: of these endings that are words themselves.
func isWordOfThree(_ string, t token) bool { return t.length() == 3 }

// mentionsMySQL is asked once for a text: one that has many options may be long.
func mentionsMySQL(s string) bool {
	return strings.Contains(s, "mysql") || strings.Contains(s, "mariadb") || strings.Contains(s, "mycli")
}

func beginsUserOption(s string, t token) bool {
	if t.start == 0 || !isBlank(s[t.start-1]) && s[t.start-1] != '"' && s[t.start-1] != '\'' {
		return false
	}
	rest, short := strings.CutPrefix(s[t.end:], "u")
	return strings.HasPrefix(rest, "-user") || short && rest != "" && strings.IndexByte(" \t=\"'\\", rest[0]) >= 0
}

// isBeforeValue: a password stands after white space, or one of these signs.
func isBeforeValue(s string, t token) bool {
	switch next(s, t) {
	case ' ', '\t', '\r', '\n', '=', '(':
		return true
	}
	return false
}

func isBeforeColon(s string, t token) bool { return next(s, t) == ':' }

func isBeforeEquals(s string, t token) bool { return next(s, t) == '=' }

func isAfterQuoted(s string, t token) bool {
	before := strings.TrimRight(s[max(0, t.start-longestBlank-1):t.start], " \t")
	return before != "" && (before[len(before)-1] == '"' || before[len(before)-1] == '\'')
}

func isRejectedValue(s string, t token) bool { return strings.HasSuffix(s[:t.start], "rejected ") }

func isAfterName(s string, t token) bool { return strings.HasSuffix(s[:t.start], "name") }

// notInLogin are the characters that end a user or a password of oracle_credentials.
var notInLogin = charsOf(" \t\r\n\f/@\"'[]")

// isAfterSlashed: user/password.
func isAfterSlashed(s string, t token) bool {
	at := t.start
	for at > 0 && !notInLogin.has(s[at-1]) {
		at--
	}
	return at < t.start && at > 1 && s[at-1] == '/' && !notInLogin.has(s[at-2])
}

// passwordCommands: each way of cli_password has a command with a blank or tab after it.
var passwordCommands = []*probe{
	sharedProbe(probe{endings: slices.Concat([]string{
		"sshpass ", "mongo ", "mongodump ", "mongoexport ", "mongoimport ", "mongorestore ", "mongosh ", "mongostat ", "mongotop ",
		"mongofiles ", "sqlcmd ", "osql ", "bcp ", "isql ", "tsql ", "ipmitool ", "zip ", "influx ", "beeline ", "psexec ", "setuser ",
		"cmdkey ", "twine ", "certutil ", "openssl ", "signtool ", "requirepass ", "masterauth ", "vncpasswd ", "mysqladmin ",
		"ldapsearch ", "ldapmodify ", "ldapadd ", "ldapdelete ", "ldapwhoami ", "ldappasswd ", "ldapcompare ", "7za ", "rar ",
		"rdesktop ", "plink ", "pscp ", "psftp ", "vncviewer ", "snowsql ", "cqlsh ", "aerospike ", "asadm ", "psexec64 ", "freerdp ",
		"mstsc ", "schtasks ", "smbclient ", "rpcclient ", "smbmap ", "winexe ", "wmiexec ", "lftp ", "htpasswd ", "useradd ", "usermod ",
		"groupadd ", "groupmod ", "rabbitmqctl ", "snmpget ", "snmpwalk ", "snmpbulkwalk ", "snmpset ", "snmptrap ",
	}, endingsIn7z())}),
	sharedProbe(probe{twoLetters: true, test: is7z}),
	sharedProbe(probe{endings: []string{"login "}, test: isWordAfterBlank}),
	sharedProbe(probe{endings: []string{"cli "}, test: isBehind("redis-")}),
	sharedProbe(probe{endings: []string{"shell "}, test: isBehind("impala-")}),
	sharedProbe(probe{endings: []string{"keygen "}, test: isBehind("ssh-")}),
	sharedProbe(probe{endings: []string{"pub ", "sub "}, test: isBehind("mosquitto_")}),
}

// endingsIn7z are those of a longer token: the index knows no ending of two characters.
func endingsIn7z() (all []string) {
	for c := range byte(128) {
		if isDigit(c) || isLowerLetter(c) {
			all = append(all, string(rune(c))+"7z ")
		}
	}
	return all
}

func is7z(s string, t token) bool { return strings.HasPrefix(s[t.start:], "7z") && isBlank(next(s, t)) }

// isWordAfterBlank: a command's second word.
func isWordAfterBlank(s string, t token) bool {
	return isAfterBlank(s, t) && t.length() == len("login")
}

func isBehind(text string) probeTest {
	return func(s string, t token) bool { return strings.HasSuffix(s[:t.start], text) }
}

// isAfterCredential: PSCredential, perhaps with blanks before the bracket.
func isAfterCredential(s string, t token) bool {
	return t.start > 0 && lower(s[t.start-1]) == 'l'
}

// isAfterNet: the word use, behind net or net.exe.
func isAfterNet(s string, t token) bool {
	if !isWordOfThree(s, t) || !isAfterBlank(s, t) {
		return false
	}
	command := strings.TrimRight(s[:t.start], " \t")
	return command != "" && (lower(command[len(command)-1]) == 't' || lower(command[len(command)-1]) == 'e')
}

const (
	shortestHash    = 16 // that of MD5 in base64
	longestHashName = 20 // of what stands between the first two $
)

// isBeforeHash: the $ after a name, as in md5$, or before an id that the next one ends, as in $2b$.
func isBeforeHash(s string, t token) bool {
	if len(s)-t.end < shortestHash {
		return false
	}
	if t.start > 0 && (isAlnum(s[t.start-1]) || s[t.start-1] == ':') {
		return true
	}
	for i := t.end; i < t.end+longestHashName && i < len(s); i++ {
		if s[i] == '$' {
			return i > t.end
		}
		if !isAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return false
}

// isAfterScheme: the } of {SSHA} and the like.
func isAfterScheme(s string, t token) bool {
	if len(s)-t.end < shortestHash || t.start == 0 {
		return false
	}
	return classes[s[t.start-1]]&(classUpper|classDigit) != 0
}

func isPostgresPort(s string, t token) bool {
	for _, port := range [...]string{"5432:", "5433:", "6432:", "6543:", "*:"} {
		if strings.HasPrefix(s[t.end:], port) {
			return true
		}
	}
	return false
}

func isInstrumentationKey(s string, t token) bool {
	const word = "instrumentation_key"
	start := max(0, t.end-len(word))
	return strings.Contains(lowerASCII(s[start:t.end]), "tation")
}

func isRedisAuth(s string, t token) bool { return strings.HasSuffix(s[:t.end], "AUTH") }

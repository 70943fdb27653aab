package engine

import "strings"

// maxRules is the number of rules that a set of bits holds.
const maxRules = 192

// bits is a set of rules by their place in the policy.
type bits [maxRules / 64]uint64

func (b *bits) set(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b *bits) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b *bits) empty() bool    { return b[0]|b[1]|b[2] == 0 }
func (b *bits) add(o *bits)    { b[0] |= o[0]; b[1] |= o[1]; b[2] |= o[2] }

// Classes of bytes.
const (
	classDigit = 1 << iota
	classUpper
	classLower
	classHex
	classHigh   // part of a character beyond ASCII
	classLetter = classUpper | classLower
	classAlnum  = classLetter | classDigit
)

var classes = func() (t [256]byte) {
	for c := range 256 {
		b := byte(c)
		switch {
		case isDigit(b):
			t[c] = classDigit | classHex
		case b >= 'A' && b <= 'Z':
			t[c] = classUpper
		case b >= 'a' && b <= 'z':
			t[c] = classLower
		case b >= 0x80:
			t[c] = classHigh
		}
		if hexDigit(b) >= 0 {
			t[c] |= classHex
		}
	}
	return t
}()

// features are what the one pass over a text counts.
type features struct {
	digits, colons, dashes, dots, longest int
}

// literal is a word or prefix that makes rules possible. Words are compared without regard to
// case, prefixes exactly.
type literal struct {
	text  string
	exact bool
	next  int16 // in the same bucket, or -1
	rules bits
	near  bits
	pairs byte
}

const (
	pairsAnywhere = 1 << iota
	pairsQuery
)

// scanner finds, in one pass over a text, the rules that could match it. For each rule of the
// policy it knows, its test is sharper than the rule's triggers, yet never misses a match.
type scanner struct {
	e        *Engine
	trigrams [1 << 16 / 64]uint64 // first three characters of any literal
	buckets  []int16              // by trigram: the first of its literals, or -1
	literals []literal
	shorts   []literal            // of two letters, which sit in no bucket
	pairsOf  [1 << 10 / 64]uint64 // their letters
	ends     [1 << 15 / 64]uint64 // last three characters of words before a blank
	endWords []literal
	generic  []int // rules left to genericScan
	nearHigh bits  // rules with a near word that begins beyond ASCII
	pairs    int
	ids      struct {
		privateKey, urlCredentials, urlToken, dsn, jwt, cliUser, cliSecret, xml, email, iban, base58, evm, other, walletNear,
		card, cardNear, ipv4, ipv6, mac, ssn, phone, phoneUS, trunk, bare, nif, hetu, fiscale, curp, nino, mbi, nric, pan, aadhaar,
		rrn, cpf, cnpj, tckn, nhs, sin, licence, aba, spoken, slackHook, webhook, bot, mailKey, cloud, vault, cvv, bearer, basic, digest, seed int
	}
	nearDigits [][2]int // rule, digits it needs
}

// trigram packs three characters without regard to case; different characters may collide.
func trigram(a, b, c byte) uint16 {
	return uint16(a&31) | uint16(b&31)<<5 | uint16(c&31)<<10
}

func (c *scanner) addLiteral(text string, exact bool) *literal {
	for i := range c.literals {
		if c.literals[i].text == text && c.literals[i].exact == exact {
			return &c.literals[i]
		}
	}
	c.literals = append(c.literals, literal{text: text, exact: exact})
	return &c.literals[len(c.literals)-1]
}

// prefixRules are the rules of the policy whose patterns can only match where one of their
// literals begins a token.
var prefixRules = map[string]bool{
	"jwt": true, "aws_access_key": true, "github_token": true, "gitlab_token": true, "slack_token": true, "stripe_key": true,
	"google_key": true, "ai_key": true, "mail_provider_key": true, "twilio_key": true, "payment_provider_key": true,
	"package_registry_token": true, "cloud_token": true, "saas_token": true, "wallet_extended_key": true, "wallet_bech32": true,
}

func newScanner(e *Engine) *scanner {
	c := &scanner{e: e, buckets: make([]int16, 1<<15), pairs: -1}
	for i := range c.buckets {
		c.buckets[i] = -1
	}
	ids := &c.ids
	known := map[string]*int{
		"private_key": &ids.privateKey, "url_credentials": &ids.urlCredentials, "url_token": &ids.urlToken, "dsn_credentials": &ids.dsn,
		"cli_user": &ids.cliUser, "cli_secret": &ids.cliSecret, "xml_secret": &ids.xml, "email": &ids.email, "iban": &ids.iban,
		"wallet_base58": &ids.base58, "wallet_evm": &ids.evm, "wallet_other": &ids.other, "wallet_near": &ids.walletNear, "card": &ids.card,
		"card_near": &ids.cardNear, "ipv4": &ids.ipv4, "ipv6": &ids.ipv6, "mac": &ids.mac, "ssn": &ids.ssn, "phone": &ids.phone,
		"phone_us": &ids.phoneUS, "phone_trunk": &ids.trunk, "phone_bare": &ids.bare, "nif": &ids.nif, "hetu": &ids.hetu,
		"codice_fiscale": &ids.fiscale, "curp": &ids.curp, "nino": &ids.nino, "mbi": &ids.mbi, "nric": &ids.nric, "in_pan": &ids.pan,
		"aadhaar": &ids.aadhaar, "rrn": &ids.rrn, "cpf": &ids.cpf, "cnpj": &ids.cnpj, "tckn": &ids.tckn, "nhs": &ids.nhs, "sin": &ids.sin,
		"uk_driving_licence": &ids.licence, "aba": &ids.aba, "spoken_secret": &ids.spoken, "slack_webhook": &ids.slackHook,
		"webhook_url": &ids.webhook, "bot_token": &ids.bot, "mail_provider_key": &ids.mailKey, "cloud_token": &ids.cloud,
		"vault_token": &ids.vault, "cvv": &ids.cvv, "auth_bearer": &ids.bearer, "auth_basic": &ids.basic, "auth_digest": &ids.digest,
		"seed_phrase": &ids.seed, "jwt": &ids.jwt,
	}
	for _, id := range known {
		*id = unknownRule
	}
	for i, r := range e.rules {
		if r.pairs {
			c.pairs = i
			c.addKeyWords()
			continue
		}
		id, special := known[r.name]
		if special {
			*id = i
		}
		if len(r.near) > 0 {
			for _, word := range r.near {
				if !isAlnum(word[0]) {
					c.nearHigh.set(i)
					continue
				}
				// A word of two letters sits in the bucket of each third one.
				c.addLiteral(word, false).near.set(i)
			}
			if r.name != "wallet_near" {
				needs := 0
				for _, t := range r.triggers {
					if t.class == "digits" && len(r.triggers) == 1 {
						needs = t.count
					}
				}
				c.nearDigits = append(c.nearDigits, [2]int{i, needs})
			}
			continue
		}
		switch {
		case prefixRules[r.name]:
			for _, t := range r.triggers {
				if t.literal != "" && isAlnum(t.literal[0]) {
					c.addLiteral(t.literal, true).rules.set(i)
				}
			}
		case !special:
			c.generic = append(c.generic, i)
		}
	}
	for _, word := range []struct {
		text string
		rule int
	}{
		{"earer", ids.bearer}, {"oken", ids.bearer}, {"otiate", ids.bearer}, {"ntlm", ids.bearer}, {"asic", ids.basic}, {"igest", ids.digest},
	} {
		c.addEnd(word.text, word.rule)
	}
	for i := range c.literals {
		c.file(i)
	}
	return c
}

// unknownRule is the place of a rule that the policy does not have: a bit nobody reads.
const unknownRule = maxRules - 1

func (c *scanner) file(i int) {
	l := &c.literals[i]
	thirds := []byte{0}
	if len(l.text) > 2 {
		thirds[0] = l.text[2]
	} else {
		thirds = thirds[:0]
		for b := range byte(32) {
			thirds = append(thirds, b)
		}
	}
	for _, third := range thirds {
		t := trigram(l.text[0], l.text[1], third)
		c.trigrams[t>>6] |= 1 << (t & 63)
	}
	if len(l.text) > 2 {
		t := trigram(l.text[0], l.text[1], l.text[2])
		l.next, c.buckets[t] = c.buckets[t], int16(i)
		return
	}
	pair := trigram(l.text[0], l.text[1], 0)
	c.pairsOf[pair>>6] |= 1 << (pair & 63)
	c.shorts = append(c.shorts, *l)
}

func (c *scanner) addEnd(text string, rule int) {
	n := len(text)
	t := trigram(text[n-3], text[n-2], text[n-1])
	c.ends[t>>6] |= 1 << (t & 63)
	l := literal{text: text}
	l.rules.set(rule)
	c.endWords = append(c.endWords, l)
}

// commonWords tell little: an entry is known by another of its words where it has one.
var commonWords = map[string]bool{
	"number": true, "no": true, "code": true, "key": true, "id": true, "x": true, "name": true, "user": true, "db": true, "num": true, "data": true,
	"app": true, "one": true, "time": true, "two": true, "access": true, "auth": true, "session": true, "account": true, "card": true, "service": true,
	"master": true, "storage": true, "device": true, "push": true,
}

// addKeyWords files, for each name that may stand in a text, a word that it must hold.
func (c *scanner) addKeyWords() {
	add := func(name string, where byte) {
		words := strings.Split(name, "_")
		best := words[0]
		for _, word := range words[1:] {
			if len(word) > 2 && isAlnum(word[0]) && !isDigit(word[0]) && (commonWords[best] || len(best) < 3) {
				best = word
			}
		}
		c.addLiteral(best, false).pairs |= where
	}
	for _, r := range c.e.keys {
		if !r.inText && !r.query {
			continue
		}
		where := byte(pairsAnywhere)
		if r.query {
			where = pairsQuery
		}
		for _, names := range [][]string{r.exact, r.suffix, r.anywhere} {
			for _, name := range names {
				add(name, where)
			}
		}
	}
}

// pass is the state of one scan.
type pass struct {
	wanted, near bits
	pairs        byte
	separator    bool // = or :
	query        bool // ? & ;
	longMixed    bool
	dashesSeen   bool // three of them: PRIVATE KEY was looked for
	grouped      int  // most digits in runs that one blank or dash divides
	lastDot      int  // its place plus one, -1 for none, 0 while not looked for
	features
}

// begins tells whether a literal may begin with these three characters; few places need more.
func (c *scanner) begins(t uint16) bool { return c.trigrams[t>>6]&(1<<(t&63)) != 0 }

// verify looks for literals that begin at s[i] with these three characters.
func (c *scanner) verify(s string, i int, t uint16, p *pass) {
	for at := c.buckets[t]; at >= 0; at = c.literals[at].next {
		l := &c.literals[at]
		if len(s)-i < len(l.text) {
			continue
		}
		part := s[i : i+len(l.text)]
		if l.exact {
			if part != l.text || (i > 0 && classes[s[i-1]]&classAlnum != 0) {
				continue
			}
		} else if !equalFoldASCII(part, l.text) || (i+len(l.text) < len(s) && classes[s[i+len(l.text)]]&classLower != 0) {
			continue
		}
		p.wanted.add(&l.rules)
		p.near.add(&l.near)
		p.pairs |= l.pairs
	}
	if pair := t & 1023; c.pairsOf[pair>>6]&(1<<(pair&63)) != 0 {
		c.shortWord(s, i, p)
	}
}

// shortWords are literals of two letters, which no trigram finds.
func (c *scanner) shortWord(s string, i int, p *pass) {
	for at := range c.shorts {
		l := &c.shorts[at]
		if part := s[i : i+2]; (l.exact && part == l.text && (i == 0 || classes[s[i-1]]&classAlnum == 0)) || (!l.exact && equalFoldASCII(part, l.text)) {
			p.wanted.add(&l.rules)
			p.near.add(&l.near)
			p.pairs |= l.pairs
		}
	}
}

// groups remembers the last runs of digits that stand close together.
type groups struct {
	length [6]int // of the last runs, the newest first
	count  int
	end    int // of the newest
}

func (g *groups) push(start, end int) {
	gap := start - g.end
	if g.count == 0 || gap > 2 {
		g.count = 0
	}
	copy(g.length[1:], g.length[:5])
	g.length[0] = end - start
	g.count = min(g.count+1, 6)
	g.end = end
}

func (g *groups) are(lengths ...int) bool {
	if g.count < len(lengths) {
		return false
	}
	for i, n := range lengths {
		if g.length[len(lengths)-1-i] != n {
			return false
		}
	}
	return true
}

// chain adds up the digits of runs that one separator of a set divides.
type chain struct {
	digits, end int
}

// scan returns the rules that could match s, which stands under k.
func (c *scanner) scan(s string, k *keyInfo) bits {
	var p pass
	var g groups
	var card, plain, trunk, dotted, hexColon, hexDash, hexDot chain
	dottedStart := 0
	ids := &c.ids
	n := len(s)
	for i := 0; i < n; {
		ch := s[i]
		class := classes[ch]
		if class&classAlnum == 0 {
			if class&classHigh != 0 {
				p.near.add(&c.nearHigh)
				i++
				continue
			}
			switch ch {
			case '=':
				p.separator = true
			case '?', '&', ';':
				p.query = true
			case ':':
				p.colons++
				p.separator = true
				c.colon(s, i, &p)
			case '-':
				p.dashes++
				c.dash(s, i, &p)
			case '.':
				p.dots++
				if i+7 < n && s[i+7] == '.' {
					p.wanted.set(ids.bot)
				}
				if i > 0 && s[i-1] == 's' && i+24 < n && (i == 1 || (classes[s[i-2]]&classAlnum == 0 && s[i-2] != '_')) {
					p.wanted.set(ids.vault)
				}
				if i+8 < n && s[i+1] == 'a' && s[i+2] == 't' && s[i+3] == 'l' {
					p.wanted.set(ids.cloud)
				}
			case '@':
				c.at(s, i, &p)
			case '%':
				if i+2 < n && s[i+1] == '4' && s[i+2] == '0' {
					p.wanted.set(ids.email)
				}
				if i+5 < n && s[i+1] == '5' && (s[i+2] == 'B' || s[i+2] == 'b') {
					if t := trigram(s[i+3], s[i+4], s[i+5]); c.begins(t) { // user%5Bpassword%5D
						c.verify(s, i+3, t, &p)
					}
				}
			case '+':
				if i+1 < n && s[i+1] >= '1' && s[i+1] <= '9' {
					p.wanted.set(ids.phone)
				}
			case '<':
				if i+1 < n && s[i+1] == '/' {
					p.wanted.set(ids.xml)
				}
			case '/':
				if i > 8 && s[i-1] == 'm' && s[i-2] == 'o' && s[i-3] == 'c' {
					if s[i-9:i] == "slack.com" {
						p.wanted.set(ids.slackHook)
					}
					if strings.HasSuffix(s[:i], "office.com") {
						p.wanted.set(ids.webhook)
					}
				}
				if i+4 < n && s[i+1] == 'a' && s[i+2] == 'p' && s[i+3] == 'i' && s[i+4] == '/' {
					p.wanted.set(ids.webhook)
				}
			case '~':
				p.wanted.set(ids.cloud)
			}
			i++
			continue
		}
		// A token: a run of letters and digits.
		start, digits := i, 0
		seen, allHex := byte(0), byte(classHex)
		before := byte(0)
		for i < n {
			cl := classes[s[i]]
			if cl&classAlnum == 0 {
				break
			}
			seen |= cl
			allHex &= cl
			if cl&classDigit != 0 {
				digits++
			} else if before&classLetter == 0 || (cl&classUpper != 0 && (before&classLower != 0 || (i+1 < n && classes[s[i+1]]&classLower != 0))) {
				if i > start && i+2 < n {
					if t := trigram(s[i], s[i+1], s[i+2]); c.begins(t) {
						c.verify(s, i, t, &p)
					}
				} else if i > start && i+2 == n {
					c.shortWord(s, i, &p)
				}
			}
			before = cl
			i++
		}
		length := i - start
		if start+2 < n {
			if t := trigram(s[start], s[start+1], s[start+2]); c.begins(t) {
				c.verify(s, start, t, &p)
			}
		} else if length == 2 {
			c.shortWord(s, start, &p)
		}
		p.digits += digits
		p.longest = max(p.longest, length)
		next := byte(0)
		if i < n {
			next = s[i]
		}
		if classes[s[i-1]]&classLetter != 0 {
			c.word(s, start, i, next, &p)
		}
		if digits == length {
			g.push(start, i)
			c.number(s, start, i, next, &g, &p)
			card.follow(s, start, i, s[start] >= '2' && s[start] <= '6', isCardSeparator)
			if card.digits >= shortestCard {
				p.wanted.set(ids.card)
			}
			plain.follow(s, start, i, true, isPlainSeparator)
			p.grouped = max(p.grouped, plain.digits)
			trunk.near(start, i, s[start] == '0')
			if trunk.digits >= 9 {
				p.wanted.set(ids.trunk)
			}
			if length <= 3 {
				if dotted.digits > 0 && dotted.end == start-1 && s[start-1] == '.' {
					dotted.digits++
				} else {
					dotted.digits, dottedStart = 1, start
				}
				dotted.end = i
				if dotted.digits == 4 {
					c.address(s, dottedStart, i, next, &p)
				}
			} else {
				dotted.digits = 0
			}
		} else if digits > 0 {
			c.mixed(s, start, i, digits, seen, next, &p)
		}
		if length >= 26 && length <= 56 && seen&classAlnum == classAlnum {
			p.wanted.set(ids.base58)
			p.longMixed = true
		}
		if length == 95 || length == 56 || (length == 42 && start > 0 && s[start-1] == ':') {
			p.wanted.set(ids.other)
		}
		if allHex != 0 && length <= 4 {
			if length == 2 {
				hexDash.link(s, start, i, '-')
				if hexDash.digits >= 6 {
					p.wanted.set(ids.mac)
				}
			}
			hexColon.link(s, start, i, ':')
			if hexColon.digits >= 6 {
				p.wanted.set(ids.mac)
				if hexColon.digits >= 7 {
					p.wanted.set(ids.ipv6)
				}
			}
			if length == 4 {
				hexDot.link(s, start, i, '.')
				if hexDot.digits >= 3 {
					p.wanted.set(ids.mac)
				}
			}
		}
	}
	p.near.add(&k.near)
	for _, r := range c.nearDigits {
		if p.digits >= r[1] && p.near.has(r[0]) && (r[0] != ids.cardNear || p.grouped >= shortestCard) {
			p.wanted.set(r[0])
		}
	}
	if p.longMixed && p.near.has(ids.walletNear) {
		p.wanted.set(ids.walletNear)
	}
	if c.pairs >= 0 && p.separator && (p.pairs&pairsAnywhere != 0 || (p.pairs&pairsQuery != 0 && p.query)) {
		p.wanted.set(c.pairs)
	}
	for _, i := range c.generic {
		if genericScan(c.e.rules[i], s, &p.features) {
			p.wanted.set(i)
		}
	}
	p.wanted[unknownRule>>6] &^= 1 << (unknownRule & 63)
	return p.wanted
}

func isPlainSeparator(c byte) bool { return c == ' ' || c == '-' }

func isCardSeparator(c byte) bool { return c == ' ' || c == '-' || c == '+' }

// follow adds a run of digits to the chain, or begins one if it may.
func (h *chain) follow(s string, start, end int, begins bool, separator func(byte) bool) {
	if h.digits > 0 && h.end == start-1 && separator(s[start-1]) {
		h.digits += end - start
	} else if begins {
		h.digits = end - start
	} else {
		h.digits = 0
	}
	h.end = end
}

// near is follow for runs up to two characters apart.
func (h *chain) near(start, end int, begins bool) {
	if h.digits > 0 && start-h.end <= 2 {
		h.digits += end - start
	} else if begins && end-start <= 6 {
		h.digits = end - start
	} else {
		h.digits = 0
	}
	h.end = end
}

// link counts tokens that one separator divides.
func (h *chain) link(s string, start, end int, separator byte) {
	if h.digits > 0 && h.end == start-1 && s[start-1] == separator {
		h.digits++
	} else {
		h.digits = 1
	}
	h.end = end
}

func (c *scanner) colon(s string, i int, p *pass) {
	n := len(s)
	if i+2 < n && s[i+1] == '/' && s[i+2] == '/' {
		for j := i + 3; j < n; j++ {
			switch s[j] {
			case '/', '"', '\'', '<', '>', ' ', '\t', '\r', '\n', '\f', '\v':
				return
			case '@':
				p.wanted.set(c.ids.urlCredentials)
				p.wanted.set(c.ids.urlToken)
				return
			}
		}
		return
	}
	if i+1 < n && s[i+1] == ':' {
		left := i
		for left > 0 && i-left < 5 && classes[s[left-1]]&classHex != 0 {
			left--
		}
		if left == 0 || classes[s[left-1]]&classAlnum == 0 {
			p.wanted.set(c.ids.ipv6)
		}
	}
	if i+2 < n && s[i+1] == 'A' && s[i+2] == 'A' {
		p.wanted.set(c.ids.bot)
	}
	if i >= 4 && s[i-1] == 'c' && s[i-4:i] == "jdbc" {
		p.wanted.set(c.ids.dsn)
	}
}

func (c *scanner) dash(s string, i int, p *pass) {
	n := len(s)
	if i+2 >= n {
		return
	}
	switch next := s[i+1]; {
	case next == '-':
		switch lower(s[i+2]) {
		case 'p', 't', 's', 'a', 'c':
			p.wanted.set(c.ids.cliSecret)
		case 'u':
			p.wanted.set(c.ids.cliUser)
		case '-':
			if !p.dashesSeen && strings.Contains(s, "PRIVATE KEY") {
				p.wanted.set(c.ids.privateKey)
			}
			p.dashesSeen = true
		}
	case next == 'u' || next == 'p' || next == 'a':
		if i > 0 && s[i-1] == ' ' {
			p.wanted.set(c.ids.cliUser)
		}
		if next == 'u' && s[i+2] == 's' {
			p.wanted.set(c.ids.mailKey)
		}
	}
}

func (c *scanner) at(s string, i int, p *pass) {
	if i+1 >= len(s) {
		return
	}
	next := s[i+1]
	if (next == 't' || next == 'u') && (strings.HasPrefix(s[i:], "@tcp(") || strings.HasPrefix(s[i:], "@unix(")) {
		p.wanted.set(c.ids.dsn)
	}
	// A domain has a dot, and a name stands before the sign.
	if p.lastDot == 0 {
		p.lastDot = 1 + strings.LastIndexByte(s, '.')
		if p.lastDot == 0 {
			p.lastDot = -1
		}
	}
	if i > 0 && p.lastDot > i {
		p.wanted.set(c.ids.email)
	}
}

// word handles a token that ends in a letter.
func (c *scanner) word(s string, start, end int, next byte, p *pass) {
	length := end - start
	if length == 2 {
		if lower(s[start]) == 'i' && lower(s[start+1]) == 's' {
			p.wanted.set(c.ids.spoken)
		}
		if next == ' ' && end+1 < len(s) && isDigit(s[end+1]) && beginsNINO(s[start:]) {
			p.wanted.set(c.ids.nino)
		}
	}
	if length < 3 {
		return
	}
	if next == ' ' || next == '\t' {
		t := trigram(s[end-3], s[end-2], s[end-1])
		if c.ends[t>>6]&(1<<(t&63)) != 0 {
			for i := range c.endWords {
				l := &c.endWords[i]
				if length >= len(l.text) && equalFoldASCII(s[end-len(l.text):end], l.text) {
					p.wanted.add(&l.rules)
				}
			}
		}
	}
	switch lower(s[end-1]) {
	case 'v', 'c':
		if lower(s[end-2]) == 'v' && lower(s[end-3]) == 'c' {
			p.wanted.set(c.ids.cvv)
		}
	case 'e':
		// security code
		if length == 4 && start > 1 && s[start-1] == ' ' && lower(s[start-2]) == 'y' && equalFoldASCII(s[start:end], "code") {
			p.wanted.set(c.ids.cvv)
		}
		if length >= 6 && equalFoldASCII(s[end-6:end], "phrase") {
			p.wanted.set(c.ids.seed)
		}
	}
	if length >= 8 && lower(s[end-1]) == 'c' && equalFoldASCII(s[end-8:end], "mnemonic") {
		p.wanted.set(c.ids.seed)
	}
}

// number handles a token of digits alone.
func (c *scanner) number(s string, start, end int, next byte, g *groups, p *pass) {
	ids := &c.ids
	length := end - start
	switch length {
	case 1:
		if g.are(4, 4, 1) {
			p.wanted.set(ids.aba)
		}
	case 2:
		if g.are(3, 3, 3, 2) {
			p.wanted.set(ids.cpf)
		}
		if g.are(2, 3, 3, 4, 2) {
			p.wanted.set(ids.cnpj)
		}
	case 3:
		if g.are(3, 3, 3) {
			p.wanted.set(ids.sin)
		}
	case 4:
		if g.are(3, 3, 4) {
			p.wanted.set(ids.phoneUS)
			p.wanted.set(ids.nhs)
		} else if g.are(3, 2, 4) {
			p.wanted.set(ids.ssn)
		} else if g.are(4, 4, 4) {
			p.wanted.set(ids.aadhaar)
		} else if g.are(6, 4) {
			p.wanted.set(ids.hetu)
		}
	case 6:
		if next == '-' || next == '+' {
			p.wanted.set(ids.hetu)
		}
	case 7, 8:
		if next == '-' && standsNIF(s, start) {
			p.wanted.set(ids.nif)
		}
		if length == 7 && g.are(6, 7) {
			p.wanted.set(ids.rrn)
		}
	case 11:
		if s[start] == '0' {
			p.wanted.set(ids.bare)
		} else if isTCKN(s[start:end]) {
			p.wanted.set(ids.tckn)
		}
	}
}

// address decides whether four numbers and dots are worth a look.
func (c *scanner) address(s string, start, end int, next byte, p *pass) {
	if next != '/' {
		a, ok := parseIPv4(s[start:end])
		if ok && ((c.e.keepIPs && isPrivateIPv4(a)) || (a[2] == 0 && a[3] == 0)) {
			return
		}
	}
	p.wanted.set(c.ids.ipv4)
}

// mixed handles a token of letters and digits.
func (c *scanner) mixed(s string, start, end, digits int, seen byte, next byte, p *pass) {
	ids := &c.ids
	length := end - start
	letters := length - digits
	if length >= 4 && classes[s[start]]&classLetter != 0 && classes[s[start+1]]&classLetter != 0 && isDigit(s[start+2]) && isDigit(s[start+3]) {
		if _, _, ok := validateIBAN(c.e, s, start, min(len(s), start+longestIBAN)); ok {
			p.wanted.set(ids.iban)
		}
	}
	switch length {
	case 4:
		if next == '-' && end+4 < len(s) && s[end+4] == '-' {
			p.wanted.set(ids.mbi)
		}
		if letters == 2 && next == ' ' && beginsNINO(s[start:]) {
			p.wanted.set(ids.nino)
		}
	case 6:
		if letters == 2 && next == ' ' && beginsNINO(s[start:]) {
			p.wanted.set(ids.nino)
		}
	case 8:
		if letters == 2 && next == ' ' && beginsNINO(s[start:]) {
			p.wanted.set(ids.nino)
		}
		if letters == 1 && standsNIF(s, start) {
			p.wanted.set(ids.nif)
		}
	case 9:
		switch {
		case letters <= 2:
			if standsNIF(s, start) {
				p.wanted.set(ids.nif)
			}
			if letters == 2 && seen&classLower == 0 {
				p.wanted.set(ids.nric)
			}
		case letters == 3 && beginsNINO(s[start:]):
			p.wanted.set(ids.nino)
		}
	case 10:
		if digits == 4 && isDigit(s[start+5]) && isDigit(s[start+8]) {
			p.wanted.set(ids.pan)
		}
	case 11:
		if classes[s[start+6]]&classLetter != 0 {
			p.wanted.set(ids.hetu)
		}
		if isDigit(s[start]) && isDigit(s[end-1]) && isDigit(s[end-2]) && isDigit(s[start+3]) && isDigit(s[start+6]) {
			p.wanted.set(ids.mbi)
		}
	case 16:
		if digits == 7 {
			p.wanted.set(ids.fiscale)
		}
		if digits >= 7 && isDigit(s[start+5]) && isDigit(s[start+9]) && !isDigit(s[end-1]) {
			p.wanted.set(ids.licence)
		}
	case 18:
		if seen&classLower == 0 {
			p.wanted.set(ids.curp)
		}
	case 42:
		if s[start] == '0' && (s[start+1] == 'x' || s[start+1] == 'X') {
			p.wanted.set(ids.evm)
		}
	}
	if s[end-1] == '2' && length >= 4 && (equalFoldASCII(s[end-4:end], "cvv2") || equalFoldASCII(s[end-4:end], "cvc2")) {
		p.wanted.set(ids.cvv)
	}
}

// longestIBAN bounds the bytes of an IBAN in groups.
const longestIBAN = 72

// ninoLetters are those a National Insurance number may have in its first and second place.
var ninoLetters = [2]asciiSet{letterSet("abceghjklmnoprstwxyz"), letterSet("abceghjklmnprstwxyz")}

func letterSet(letters string) (set asciiSet) {
	for _, c := range []byte(letters) {
		set[c], set[c-'a'+'A'] = true, true
	}
	return set
}

// beginsNINO tells whether s begins as the pattern of nino does.
func beginsNINO(s string) bool {
	if len(s) < 9 || !ninoLetters[0].has(s[0]) || !ninoLetters[1].has(s[1]) {
		return false
	}
	i := 2
	for range 3 {
		if s[i] == ' ' {
			i++
		}
		if i+2 >= len(s) || !isDigit(s[i]) || !isDigit(s[i+1]) {
			return false
		}
		i += 2
	}
	if s[i] == ' ' {
		i++
	}
	return i < len(s) && lower(s[i]) >= 'a' && lower(s[i]) <= 'd'
}

// standsNIF tells whether a whole Spanish id with the right letter begins at s[start], which begins
// a token: eight digits in seven of ten ids of other kinds would be worth a look otherwise.
func standsNIF(s string, start int) bool {
	if start > 0 && s[start-1] == '-' {
		return false
	}
	i := start
	if c := lower(s[i]); c >= 'x' && c <= 'z' {
		i++
	}
	first := i
	for i < len(s) && i < first+8 && isDigit(s[i]) {
		i++
	}
	if i-first < 7 || (first > start && i-first > 7) {
		return false
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i >= len(s) || classes[s[i]]&classLetter == 0 {
		return false
	}
	i++
	return (i == len(s) || (classes[s[i]]&classAlnum == 0 && s[i] != '-')) && isNIF(s[start:i])
}

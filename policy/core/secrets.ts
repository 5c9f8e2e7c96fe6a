/**
 * What a literal credential looks like: by the name that it stands under, by where it stands in a
 * text (a URL, a flag, an assignment), and by its own shape. A reference ($VAR, a path, a
 * placeholder) is the cure and not the disease.
 */

const CREDENTIAL = new RegExp(
  `(?:^|_)(?:${[
    "password|passwd|passphrase|pass|pwd|secret|token|credentials?|apikey|api_key|skey",
    "(?:private|access|auth|encryption|signing|sig|installation|logged_in|nonce|jwt|master)_key",
    "open_?ai_key|(?:auth|logged_in|nonce|sig|hash)_salt|[a-z]+_pw|rediscli_auth",
    "(?:bind|root|rootbind)_?pw|require_?pass|master_?auth|(?:db|mysql|pg|postgres|smtp|ldap)pass",
    "(?:jwt|client|app|shared|cookie)secret|secretkey|(?:access|auth|api|refresh|bearer)token",
  ].join("|")})(?:$|_)`,
);

/** Laravel's and Datadog's; others' are public names of an application. */
const APP_KEY = /^(?:(?:laravel|dd|datadog)_)?app_key$/;

/** What follows the credential's word and makes the whole the name of something else. */
const ABOUT = new RegExp(
  `_(?:${[
    "file|path|dir|directory|mount|name|names|ref|key_ref|url|uri|endpoint|host|location|source",
    "length|len|min|max|limit|limits|size|count|cost|iterations|rounds|strength|complexity",
    "ttl|expiry|expires|expiration|lifetime|timeout|period|interval|rotation|at",
    "days|hours|minutes|seconds",
    "policy|type|types|class|format|scheme|mode|version|algorithm|algo|mechanism|mechanisms",
    "encryption|encoder|encoding|hash|hashes|hasher|hashing|sha\\d*(?:_hex)?|validator|validation",
    "authentication|plugin|driver|engine|backend|backends|provider|manager|store|storage|service",
    "issuer|audience|lookup|header|prefix|field|param|attrs|attribute|attributes|filter|query",
    "command|enabled|required|namespace|id|reset|env|label|hint|description|placeholder",
  ].join("|")})$`,
);

/**
 * `passwordKey: db-password` and `clientSecretKey: client-secret` tell where in a Secret to look. Of
 * variables, whose names are all capitals, only DB_PASSWORD_KEY and the like: `SECRET_KEY` is the key.
 */
function isKeyOfSecret(name: string, plain: string, value: string): boolean {
  const key = words(value);
  return (
    plain.endsWith("_key") &&
    (/[a-z]/.test(name) || /(?:^|_)(?:password|passwd|passphrase)_key$/.test(plain)) &&
    /^[a-z][a-z._-]*$/.test(value) &&
    (/(?:^|_)(?:password|passwd|passphrase|token|credentials?)$/.test(key) ||
      (key.includes("_") && plain.endsWith(`${key}_key`)))
  );
}

/** `tls_secret` names a Secret; what is in it stands elsewhere. */
const NAMES_A_SECRET =
  /(?:^|_)(?:tls|ssl|pull|image|cert|certificate|ca|kube|k8s|existing)_secret$/;

/** `dbPassword`, `DB-PASSWORD`, `db.password` and `DB_PASSWORD2` are one name. */
function words(name: string): string {
  const apart = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  const plain = (apart.match(/[A-Za-z0-9]+/g) ?? []).join("_").toLowerCase();
  return plain.replace(/(?<=[a-z])_?\d+$/, "");
}

/** Whether a name promises a credential as its value, which may show that it does not. */
export function isCredentialName(name: string, value = ""): boolean {
  const plain = words(name);
  return (
    (CREDENTIAL.test(plain) ||
      APP_KEY.test(plain) ||
      /[a-z](?:password|passwd|apikey)$/.test(plain)) &&
    !ABOUT.test(plain) &&
    !NAMES_A_SECRET.test(plain) &&
    !isKeyOfSecret(name, plain, value.trim().replace(/^["']|["']$/g, "")) &&
    // The working directory.
    plain !== "pwd"
  );
}

/** Of a client, a session, a signature: nobody calls an object by these alone. */
const OWN_SECRET = new RegExp(
  "(?:^|_)(?:client|app|application|consumer|shared|jwt|cookie|session|webhook|hmac|signing|api)" +
    "_?secret$|^(?:aws_)?secret_(?:access_)?key$",
);

/** `github-oauth`, `team/auth-2`, `secret/data/app`: words, or a path of them. */
const OBJECT_OR_PATH =
  /^(?:[a-z]+(?:[-.](?:[a-z]+\d?|\d{1,4}))*|[a-z0-9._-]+(?:[:/][a-z0-9._#-]+)+)$/;

/**
 * Whether an annotation or label of a credential's name may hold one. `secret` in it is as a rule an
 * object's name for a controller to look up (`auth-secret: basic-auth`), or just a word.
 */
export function mayHoldCredential(name: string, value: string): boolean {
  const plain = words(name);
  return (
    !plain.includes("secret") || (OWN_SECRET.test(plain) && !OBJECT_OR_PATH.test(value.trim()))
  );
}

const REFERENCES = [
  /^$/,
  // A variable, a command's output, a template's field.
  /^["']?(?:\$|`|\{\{|<|%|\*+$|@\{)/,
  // Nothing, as JSON writes it, and what begins a pattern.
  /^(?:\{\\?\}?|\[\]|\\[a-zA-Z].*|\((?:[[\\.?].*)?)$/,
  // The next flag: the one before takes no value, or asks for it.
  /^--?[a-z]/,
  // What everybody may know.
  /^-----BEGIN (?:CERTIFICATE|(?:RSA )?PUBLIC KEY)-----/,
  // Where the value is to be found.
  /^(?:\/|\.\/|file:)/,
  // An address, of nginx's proxy_pass for example; one with a password in it is told by itself.
  /^https?:\/\/[^\s@]*$/,
  // Switches and durations that stand under such names.
  /^(?:true|false|yes|no|on|off|none|null|nil|undefined|anonymous|\d{1,3}|\d+(?:ms|s|m|h|d))$/i,
  /^(?:redacted|\.\.\.|…|x{3,})$/i,
];

/** Whether a value, under a credential's name, is one. */
export function isLiteral(value: string): boolean {
  const trimmed = value.trim();
  return !REFERENCES.some((reference) => reference.test(trimmed));
}

/** Tokens that tell themselves. */
const SHAPES: [string, RegExp][] = [
  ["a private key", /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ["an AWS access key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})/],
  ["a GitLab token", /\bglpat-[\w-]{20,}/],
  ["a DigitalOcean token", /\bdo[opr]_v1_[0-9a-f]{64}\b/],
  ["a Slack token", /\bxox[abprs]-[A-Za-z0-9-]{10,}/],
  ["an OpenAI key", /\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}/],
  ["a Google API key", /\bAIza[\w-]{35}\b/],
  ["a signed token (JWT)", /\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,}\.[\w-]{8,}/],
];

const IN_TEXT: [string, RegExp][] = [
  ["a password in a URL", /\w:\/\/[^\s/:@"'`]*:([^\s/@"'`]+)@/g],
  [
    "a token in a URL's query",
    /[?&](?:token_auth|access_token|token|api_?key|password|passwd|secret)=([^&\s"'`\\]+)/gi,
  ],
  [
    "a password in a connection string",
    /\b(?:uid|user(?: id)?)=[^;"'\n]{0,99};\s*pwd=([^;"'\s]+)/gi,
  ],
  [
    "a password in SQL",
    /\b(?:create|alter)\s+(?:user|role)\s+[^\s;]+\s(?:[^;'"]{0,200}\s)?password\s+'([^']+)'/gi,
  ],
  ["a password in SQL", /\bset\s+password\b[^;=\n]{0,200}=\s*(?:password\()?'([^']+)'/gi],
  ["a password in SQL", /identified\s+by\s+(?:password\s+)?['"]([^'"]+)['"]/gi],
  [
    "a credential in a header",
    /authorization(?:["']?\s*:\s*["']?|\s+["'])(?:bearer|basic)\s+([\w.~+/=-]{8,})/gi,
  ],
];

/** `--password=x`, `--token x`, `-u user:x`: flags of any command in a text. */
const FLAG = /(?:^|\s)--?([A-Za-z][\w-]*)(?:=|\s+)("[^"]*"|'[^']*'|[^\s"';|&]+)/g;
/** By its name or its path in a bin folder: /var/lib/mysql is no command. */
const CLIENT_PASSWORD =
  /(?:bin\/|(?<!\/)\b)(?:mysql|mariadb)[\w-]*(?:[ \t][^|;&\n]{0,500}?)?\s-p([^\s"';|&]+)/g;
const REDIS_PASSWORD = /\bredis-cli(?:[ \t][^|;&\n]{0,500}?)?\s-a[ \t]+([^\s;|&]+)/g;
const CURL_USER = /\bcurl(?:[ \t][^|;&\n]{0,500}?)?\s(?:-u|--user)[\s=]+["']?[^\s"':]+:([^\s"']+)/g;

export type Syntax = "shell" | "code" | "data" | "prose";

/** What a file's name says about its text. */
export function syntaxOf(fileName: string): Syntax {
  const extension = /\.([a-z]+)$/i.exec(fileName)?.[1].toLowerCase() ?? "";
  if (["sh", "bash", "env"].includes(extension)) {
    return "shell";
  }
  if (["php", "js", "mjs", "cjs", "ts", "py", "rb", "pl", "go", "lua", "sql"].includes(extension)) {
    return fileName.endsWith(".ini.php") ? "data" : "code";
  }
  return ["md", "txt", "html", "css", "svg", "crt", "pem"].includes(extension) ? "prose" : "data";
}

/** What begins a value, and not a pattern or a placeholder that stands for one. */
const VALUE = String.raw`(?:\\?["'])?([^\s"'\\.,;:?()<>+*^|&{}[\]$%=][^\s"',;&|\\]{0,99})`;

/** `"name":"value"`, also with escaped quotes: JSON within another text. */
const JSON_PAIR = new RegExp(String.raw`["']([\w.-]+)\\?["'][ \t]*:[ \t]*(?=\\?["'])${VALUE}`, "g");

/** `name=value` within the value of another name: a connection string, a list of variables. */
const PAIR_IN_VALUE = new RegExp(String.raw`(?<![\w.-])([\w.-]+)=(?=${VALUE})`, "g");

/** `name = value` as each syntax writes a literal. In code a bare word is a variable. */
const ASSIGNMENTS: Record<Syntax, RegExp[]> = {
  shell: [/(?:^|[\s;"'])([A-Za-z_]\w*)=(?=("[^"]*"|'[^']*'|[^\s"';|&)]+))/g, JSON_PAIR],
  code: [
    // psql's `PASSWORD :'name'` is a variable.
    /(?<![\w.-])([\w.-]+)["']?\]?\s*(?:=>|:=|=|(?<!\s):|:(?=\s))\s*("[^"\n]+"|'[^'\n]+')/g,
    /define\(\s*["'](\w+)["']\s*,\s*("[^"\n]+"|'[^'\n]+')/g,
  ],
  data: [
    /(?<![\w.-])([\w.-]+)["']?[ \t]*[=:][ \t]*("[^"\n]*"|'[^'\n]*'|[^\s"',;{}[\]]+)/g,
    PAIR_IN_VALUE,
    JSON_PAIR,
    // XML.
    /<([\w.:-]+)>([^<>\s{][^<>\s]*)<\/\1>/g,
    // Words of Redis, LDAP and HAProxy that mean nothing else.
    /^[ \t]*(?:user[ \t]+\S+[ \t]+|sentinel[ \t]+)?(requirepass|masterauth|auth-pass[ \t]+\w+|bindpw|rootpw|rootbindpw|insecure-password)[ \t]+("[^"\n]+"|[^\s"']+)[ \t]*$/gim,
    // Netrc.
    /\bmachine[ \t]+\S+\s+login\s+\S+\s+(password)\s+(\S+)/g,
    // Fluentd; `password reset` are two words of a text.
    /^[ \t]*(password)[ \t]+((?=\S{8})(?=\S*\d)(?=\S*[a-z])[^\s"';]+)[ \t]*$/gim,
  ],
  prose: [],
};

/** A comment, or Dovecot's `pass_attrs = userPassword=password`, which maps names to names. */
const NO_SETTING = /^\s*(?:#|\/\/|;|\*|\/\*|--\s|REM\b|\w+_attrs\s*=)/;

/** What a text gives away, in words, or undefined. Comments are explanations, not configuration. */
export function secretInText(
  text: string,
  syntax: Syntax,
  isName = isCredentialName,
): string | undefined {
  const shape = SHAPES.find(([, pattern]) => pattern.test(text));
  if (shape) {
    return shape[0];
  }
  const lines = text.split("\n").filter((line) => !NO_SETTING.test(line));
  const code = lines.join("\n");
  const marked = IN_TEXT.find(([, pattern]) =>
    captures(pattern, code).some(([value]) => isGiven(value)),
  );
  if (marked) {
    return marked[0];
  }
  const named = [...ASSIGNMENTS[syntax], ...(syntax === "shell" ? [FLAG] : [])];
  const flagged = named
    .flatMap((pattern) => captures(pattern, code))
    // In a program, words with spaces between them are a text about the credential.
    .filter(([, value]) => syntax !== "code" || !/\s/.test(value))
    .find(([name, value]) => isName(name, value) && isGiven(value));
  if (flagged) {
    return `a literal value of ${flagged[0]}`;
  }
  const clients = syntax === "shell" ? [CLIENT_PASSWORD, REDIS_PASSWORD, CURL_USER] : [];
  return clients.some((pattern) => captures(pattern, code).some(([value]) => isGiven(value)))
    ? "a password on a command line"
    : undefined;
}

function captures(pattern: RegExp, text: string): string[][] {
  return [...text.matchAll(pattern)].map((match) => match.slice(1));
}

/** Quotes off; a value with a variable or a call in it is put together elsewhere. */
function isGiven(quoted: string): boolean {
  const value = quoted.replace(/["']/g, "");
  return isLiteral(value) && !/\$[\w({]|\w\(|\{\{/.test(value);
}

/**
 * What a literal credential looks like: by the name that it stands under, by where it stands in a
 * text (a URL, a flag, an assignment), and by its own shape. A reference ($VAR, a path, a
 * placeholder) is the cure and not the disease.
 */

const CREDENTIAL =
  /(?:^|_)(?:password|passwd|passphrase|pass|pwd|secret|token|credentials?|apikey|api_key|private_key|access_key|auth_key|encryption_key|signing_key)(?:$|_)/;

/** What follows the credential's word and makes the whole the name of something else. */
const ABOUT =
  /_(?:file|path|dir|directory|mount|name|names|ref|key_ref|url|uri|endpoint|host|length|len|min|max|size|ttl|expiry|expires|expiration|lifetime|timeout|period|interval|rotation|policy|type|types|algorithm|algo|issuer|audience|header|prefix|field|param|enabled|required|count|hash|cost|store|provider|version|namespace|id|mode|reset|env|label|hint|description|placeholder|days|hours|minutes|seconds)$/;

/** `tls_secret` names a Secret; what is in it stands elsewhere. */
const NAMES_A_SECRET =
  /(?:^|_)(?:tls|ssl|pull|image|cert|certificate|ca|kube|k8s|existing)_secret$/;

/** `dbPassword`, `DB-PASSWORD` and `db.password` are one name. */
function words(name: string): string {
  const apart = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  return (apart.match(/[A-Za-z0-9]+/g) ?? []).join("_").toLowerCase();
}

/** Whether a name promises a credential as its value. */
export function isCredentialName(name: string): boolean {
  const plain = words(name);
  return (
    (CREDENTIAL.test(plain) || /[a-z](?:password|passwd|apikey)$/.test(plain)) &&
    !ABOUT.test(plain) &&
    !NAMES_A_SECRET.test(plain) &&
    // The working directory.
    plain !== "pwd"
  );
}

const REFERENCES = [
  /^$/,
  // A variable, a command's output, a template's field.
  /^["']?(?:\$|\{\{|<|%|\*+$|@\{)/,
  // The next flag: the one before takes no value, or asks for it.
  /^--?[a-z]/,
  // Where the value is to be found.
  /^(?:\/|\.\/|file:)/,
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
  ["a GitHub token", /(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})/],
  ["a GitLab token", /glpat-[\w-]{20,}/],
  ["a DigitalOcean token", /do[opr]_v1_[0-9a-f]{64}\b/],
  ["a Slack token", /xox[abprs]-[A-Za-z0-9-]{10,}/],
  ["a Google API key", /\bAIza[\w-]{35}\b/],
  ["a signed token (JWT)", /eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/],
];

const IN_TEXT: [string, RegExp][] = [
  ["a password in a URL", /\w:\/\/[^\s/:@"'`]*:([^\s/@"'`]+)@/g],
  [
    "a token in a URL's query",
    /[?&](?:token_auth|access_token|token|api_?key|password|passwd|secret)=([^&\s"'`\\]+)/gi,
  ],
  ["a password in SQL", /identified\s+by\s+(?:password\s+)?['"]([^'"]+)['"]/gi],
  [
    "a credential in a header",
    /authorization["']?\s*:\s*["']?(?:bearer|basic)\s+([\w.~+/=-]{8,})/gi,
  ],
];

/** `--password=x`, `--token x`, `-u user:x`: flags of any command in a text. */
const FLAG = /(?:^|\s)--?([A-Za-z][\w-]*)(?:=|\s+)("[^"]*"|'[^']*'|[^\s"';|&]+)/g;
const CLIENT_PASSWORD = /\b(?:mysql|mariadb)[\w-]*(?:[ \t][^|;&\n]*?)?\s-p([^\s"';|&]+)/g;
const CURL_USER = /\bcurl(?:[ \t][^|;&\n]*?)?\s(?:-u|--user)[\s=]+["']?[^\s"':]+:([^\s"']+)/g;

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

/** `name = value` as each syntax writes a literal. In code a bare word is a variable. */
const ASSIGNMENTS: Record<Syntax, RegExp[]> = {
  shell: [/(?:^|[\s;"'])([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s"';|&)]+)/g],
  code: [
    /([\w.-]+)["']?\]?\s*(?:=>|:=|=|:)\s*("[^"\n]+"|'[^'\n]+')/g,
    /define\(\s*["'](\w+)["']\s*,\s*("[^"\n]+"|'[^'\n]+')/g,
  ],
  data: [/([\w.-]+)["']?[ \t]*[=:][ \t]*("[^"\n]*"|'[^'\n]*'|[^\s"',;{}[\]]+)/g],
  prose: [],
};

/** What a text gives away, in words, or undefined. Comments are explanations, not configuration. */
export function secretInText(text: string, syntax: Syntax): string | undefined {
  const shape = SHAPES.find(([, pattern]) => pattern.test(text));
  if (shape) {
    return shape[0];
  }
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*(?:#|\/\/|;|\*|\/\*|--\s|REM\b)/.test(line));
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
    .find(([name, value]) => isCredentialName(name) && isGiven(value));
  if (flagged) {
    return `a literal value of ${flagged[0]}`;
  }
  const clients = syntax === "shell" ? [CLIENT_PASSWORD, CURL_USER] : [];
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
  return isLiteral(value) && !/\$[\w({]|[({]\s*\$|\w\(|\{\{/.test(value);
}

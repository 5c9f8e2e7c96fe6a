/** What a literal credential looks like: names, values, and places in a text. */
import assert from "node:assert/strict";
import {
  isCredentialName,
  isLiteral,
  secretInText,
  Syntax,
  syntaxOf,
} from "../../../policy/core/secrets";

const hex = (length: number) => "0123456789abcdef".repeat(5).slice(0, length);
const upper = (length: number) => "ABCDEFGH23456789".repeat(3).slice(0, length);

describe("names of credentials", () => {
  const promising = [
    ...["password", "DB_PASSWORD", "db-password", "db.password", "dbPassword", "DB--PASSWORD"],
    ...["_token_", "CREDENTIAL", "AWS_CREDENTIALS", "s3Secret", "API__KEY", "smtpPassphrase2_PASS"],
    ...["mypasswd", "pgpassword", "googleapikey", "APIKEY", "private-key", "OLD_PWD"],
    ...[
      "SIG_SALT",
      "HASH_SALT",
      "DUO_SKEY",
      "JWT_KEY",
      "APP_KEY",
      "DD_APP_KEY",
      "MEILI_MASTER_KEY",
    ],
    ...["RAILS_MASTER_KEY", "JWTSECRET", "SECRETKEY", "DBPASS", "PASSWORD1", "DB_PASSWORD_2"],
    ...["LDAP_BIND_PW", "bindpw", "rootbindpw", "requirepass", "masterauth", "REDISCLI_AUTH"],
    ...["APITOKEN", "BINDPW2"],
    // The word in the middle, and ends that only look like another thing's.
    ...["TOKEN_VALUE", "TOKEN_PROFILE", "PASSWORD_FILE_TOKEN", "FOCA_SECRET", "TLS_SECRET_VALUE"],
  ];
  for (const name of promising) {
    it(`${name} is one`, () => assert.ok(isCredentialName(name)));
  }
  const others = [
    ...["", "USER", "COMPASS", "TOKENIZER", "PASSAGE", "mypasswordless", "9password", "oldpwd"],
    ...["PWD", "pwd", "_PWD", "tokenFile", "TOKEN_TTL", "passwordResetUrl"],
    ...["TLS_SECRET", "ingressTlsSecret", "image-pull-secret"],
    ...["PUSHER_APP_KEY", "JWT_PUBLIC_KEY", "SALT", "PW", "TOKEN_LIMIT_1", "BYPASS2", "HASH_PWS"],
    ...["password_encryption", "passwordHasher", "password_hashing", "PASSWORD_HASHES"],
    ...["passwordEncoder", "SECRET_BACKEND", "VAULT_SECRET_ENGINE", "pass_attrs", "pass_filter"],
    ...["PASSWORD_AUTHENTICATION", "password-changed-at", "password_query", "tokenSource"],
    ...["password_sha256_hex", "password_sha256", "default_pass_scheme", "secretProviderClass"],
  ];
  for (const name of others) {
    it(`${name} is none`, () => assert.ok(!isCredentialName(name)));
  }
});

describe("names of a key within a Secret", () => {
  const keys = [
    ["passwordKey", "password"],
    ["passwordKey", '"password"'],
    ["existingSecretPasswordKey", "mariadb-root-password"],
    ["tokenKey", "api.token"],
    ["clientSecretKey", "client-secret"],
  ];
  for (const [name, value] of keys) {
    it(`${name}: ${value} is one`, () => assert.ok(!isCredentialName(name, value)));
  }
  const credentials = [
    ["SECRET_KEY", "secret"],
    ["SECRET_KEY", "my-secret"],
    ["SECRET_KEY", "dev-password"],
    ["AWS_SECRET_ACCESS_KEY", "password"],
    ["MINIO_SECRET_KEY", "minio-secret"],
    ["API_KEY", "test-token"],
    ["clientSecretKey", "secret"],
    ["passwordKey", "hunter2"],
    ["passwordKey", "Password"],
    ["passwordKey", "passwords"],
    ["SECRET_KEY", "password1"],
    ["passwordKey", "password!"],
    ["password", "password"],
    ["client_secret", "client_secret"],
  ];
  for (const [name, value] of credentials) {
    it(`${name}: ${value} is none`, () => assert.ok(isCredentialName(name, value)));
  }
});

describe("values under a credential's name", () => {
  const literal = [
    ...["hunter2", "1234", "a$", "a{{b", "a<b", "**a", "a**", "{a}", "x.y/z", ".x", "-5", "a--b"],
    ...["truely", "untrue", "5x", "5minutes", "xx", "xxxy", "axxx", "redacted1", "un-redacted"],
    ...["{}a", "(a", "\\1a", "a\\S"],
    ...["....", "a...", "profile:x", "---", "12345678901s!", "!10s"],
  ];
  for (const value of literal) {
    it(`${value} is one`, () => assert.ok(isLiteral(value)));
  }
  const references = [
    ...[
      "",
      "  ",
      "$X",
      " $X",
      '"$X"',
      "'${X}'",
      "{{ .x }}",
      "<choose>",
      "%X%",
      "*",
      "****",
      "@{x}",
    ],
    ...["--verbose", "-v", "/run/secrets/x", "./x", "file:x", "true", "FALSE", "none", "123", "0"],
    ...["CERTIFICATE", "PUBLIC KEY", "RSA PUBLIC KEY"].map((kind) => `-----BEGIN ${kind}-----`),
    ...["{}", "{", "{\\", "[]", "\\S+/", "(", "([^", "(?:x)"],
    ...["10ms", "30s", "5m", "24h", "30d", "redacted", "...", "…", "xxx", "XXXXX"],
  ];
  for (const value of references) {
    it(`${JSON.stringify(value)} is none`, () => assert.ok(!isLiteral(value)));
  }
});

describe("the syntax of a file", () => {
  const files: [Syntax, string[]][] = [
    ["shell", ["a.sh", "a.bash", ".env", "A.SH"]],
    ["code", ["php", "js", "mjs", "cjs", "ts", "py", "rb", "pl", "go", "lua", "sql"]],
    ["prose", ["md", "txt", "html", "css", "svg", "crt", "pem"]],
    ["data", ["config.ini.php", "a.yaml", "a.json", "my.cnf", "sh", "a.sh.tpl.2", "a.md5", "x"]],
  ];
  for (const [syntax, names] of files) {
    for (const name of names.map((n) => (/\W/.test(n) || syntax === "data" ? n : `a.${n}`))) {
      it(`${name} is ${syntax}`, () => assert.equal(syntaxOf(name), syntax));
    }
  }
});

/** Tokens, and what is one character short of one or goes on beyond its end. */
const shapes: [string, string[], string[]][] = [
  [
    "a private key",
    ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED EC "].map((k) => `-----BEGIN ${k}PRIVATE KEY-----`),
    ["-----BEGIN PUBLIC KEY-----", "BEGIN PRIVATE KEY"],
  ],
  [
    "an AWS access key",
    [`AKIA${upper(16)}`, `key ASIA${upper(16)}.`],
    [`AKIA${upper(15)}`, `AKIA${upper(17)}`, `XAKIA${upper(16)}`, `AKIA${hex(16)}`],
  ],
  [
    "a GitHub token",
    [..."pousr"].map((c) => `gh${c}_${hex(36)}`).concat(`ghp_${hex(40)}`, `github_pat_${hex(22)}`),
    [
      `highp_${hex(36)}`,
      `my_github_pat_${hex(22)}`,
      `gha_${hex(36)}`,
      `ghp_${hex(35)}`,
      `ghp_${"-".repeat(36)}`,
      `github_pat_${hex(21)}`,
    ],
  ],
  [
    "a GitLab token",
    [`glpat-${hex(20)}`, `glpat-${"_-".repeat(10)}`],
    [`xglpat-${hex(20)}`, `glpat-${hex(19)}`, `glpat-${".".repeat(20)}`],
  ],
  [
    "a DigitalOcean token",
    ["dop_v1_", "doo_v1_", "dor_v1_"].map((prefix) => prefix + hex(64)),
    [
      `undop_v1_${hex(64)}`,
      `dop_v1_${hex(63)}`,
      `dop_v1_${hex(65)}`,
      `dox_v1_${hex(64)}`,
      `dop_v1_${"z".repeat(64)}`,
    ],
  ],
  [
    "a Slack token",
    [..."abprs"].map((c) => `xox${c}-${hex(10)}`).concat("xoxb-A1-B2-C3-D4"),
    [`foxoxb-${hex(10)}`, `xoxb-${hex(9)}`, `xoxc-${hex(10)}`, `xoxb-${"_".repeat(10)}`],
  ],
  [
    "a Google API key",
    [`AIza${hex(35)}`, `AIza${"_-".repeat(17)}x`],
    [`AIza${hex(34)}`, `AIza${hex(36)}`, `xAIza${hex(35)}`, `AIza${".".repeat(35)}`],
  ],
  [
    "a signed token (JWT)",
    [`eyJ${hex(8)}.eyJ${hex(8)}.${hex(8)}`, `eyJ${hex(9)}.eyJ-_${hex(8)}.-_${hex(8)}`],
    [
      `keyJ${hex(8)}.eyJ${hex(8)}.${hex(8)}`,
      `eyJ${hex(7)}.eyJ${hex(8)}.${hex(8)}`,
      `eyJ${hex(8)}.eyJ${hex(7)}.${hex(8)}`,
      `eyJ${hex(8)}.eyJ${hex(8)}.${hex(7)}`,
      `eyJ${"!".repeat(8)}.eyJ${hex(8)}.${hex(8)}`,
      `eyJ${hex(8)}.eyJ${"!".repeat(8)}.${hex(8)}`,
      `eyJ${hex(8)}.eyJ${hex(8)}.${"!".repeat(8)}`,
    ],
  ],
];

const URL = "a password in a URL";
const QUERY = "a token in a URL's query";
const SQL = "a password in SQL";
const CONNECTION = "a password in a connection string";
const HEADER = "a credential in a header";
const CLIENT = "a password on a command line";
const of = (name: string) => `a literal value of ${name}`;

/** A text and what it gives away, by syntax. */
const texts: Record<Syntax, [string, string | undefined][]> = {
  prose: [
    ["mysql://a:b7@c", URL],
    ["git+ssh://a:b7@c, h2://:b7@c", URL],
    ["see mysql://a:b7c@d", URL],
    ["mysql://a@b", undefined],
    ["mysql://a b:c@d", undefined],
    ["mysql://a/b:c@d", undefined],
    ["mysql://a:b c@d", undefined],
    ["mysql://a:b/c@d", undefined],
    ["mysql://a:$B@c", undefined],
    ["mysql://a:x{{ b }}@c", undefined],
    ["://a:b7@c", undefined],
    ["https://x/?token=ab7", QUERY],
    ["https://x/?a=b&API_KEY=ab7&c=d", QUERY],
    ["https://x/?apikey=ab7", QUERY],
    ["https://x/?token=&c=d", undefined],
    ["https://x/?token= c", undefined],
    ["https://x/?mytoken=ab7", undefined],
    ["https://x/?token=true&c=d", undefined],
    ["https://x/?token=true c", undefined],
    ["Server=db;Uid=sa;Pwd=ab7;", CONNECTION],
    ["server=db; user id=sa; pwd=ab7", CONNECTION],
    ["Uid=sa;Pwd=;x", undefined],
    ["Uid=sa;Pwd=$P", undefined],
    ["cd a;pwd=b", undefined],
    ["IDENTIFIED BY 'ab 7'", SQL],
    ['identified  by  password  "*AB7"', SQL],
    ["identified\nby\n'ab7'", SQL],
    ["ALTER USER a WITH PASSWORD 'ab7'", SQL],
    [`create role "a"\n  login encrypted password 'ab7'`, SQL],
    ["CREATE USER a PASSWORD 'ab7'", SQL],
    ["ALTER USER a PASSWORD :'ab7'", undefined],
    ["ALTER USER a PASSWORD '$P'", undefined],
    ["ALTER USER a; PASSWORD 'ab7'", undefined],
    ["the user a has password 'ab7'", undefined],
    ["SET PASSWORD FOR 'a'@'%' = 'ab7'", SQL],
    ["SET PASSWORD = PASSWORD('ab7')", SQL],
    ["UPDATE a SET password = '$P'", undefined],
    ["identified by 'ab7", undefined],
    ["identified by ab7", undefined],
    ["identified by ''", undefined],
    ["Authorization: Bearer abcdef78", HEADER],
    ["authorization:basic  abc.~+/=-", HEADER],
    [`{"Authorization" : "Basic abcdef78"}`, HEADER],
    [`proxy_set_header Authorization "Basic abcdef78";`, HEADER],
    [`proxy_set_header Authorization "Bearer $token";`, undefined],
    ["Authorization Bearer abcdef78", undefined],
    ["Authorization: Bearer abcdef7", undefined],
    ["Authorization: Bearer !!!!!!!!", undefined],
    ["Authorization: Digest abcdef78", undefined],
    ["password: hunter2", undefined],
    ["run mysql -phunter2", undefined],
  ],
  shell: [
    ["PASSWORD=hunter2", of("PASSWORD")],
    ["a; PASSWORD=hunter2", of("PASSWORD")],
    ["a;PASSWORD=hunter2", of("PASSWORD")],
    ["cd /\nPASSWORD=hunter2", of("PASSWORD")],
    [`sh -c 'PASSWORD=hunter2 app'`, of("PASSWORD")],
    [`PASSWORD="$1 hunter2"`, undefined],
    [`PASSWORD="hunter two"`, of("PASSWORD")],
    [`PASSWORD='hunter two'`, of("PASSWORD")],
    [`PASSWORD="" app`, undefined],
    [`PASSWORD='' app`, undefined],
    ["PASSWORD= app", undefined],
    [`CONN="host=db password=hunter2"`, of("password")],
    [`CONN="host=db password=$P"`, undefined],
    [`curl -d '{"user": "a", "password": "hunter2"}'`, of("password")],
    [`curl -d "{\\"password\\":\\"hunter2\\"}"`, of("password")],
    [`curl -d "{\\"password\\":\\"$P\\"}"`, undefined],
    [`curl -d '{"password":"'"$P"'"}'`, undefined],
    [`sed 's/"password": "[^"]*"/x/'`, undefined],
    ["PASSWORD=true;x", undefined],
    ["PASSWORD=true|x", undefined],
    ["PASSWORD=true&x", undefined],
    ["(PASSWORD=true)", undefined],
    ["x.PASSWORD=hunter2", undefined],
    ["PASSWORD=a$X", undefined],
    ["PASSWORD=a$(x)", undefined],
    ["PASSWORD=a${X}", undefined],
    ["PASSWORD=a$", of("PASSWORD")],
    ["PASSWORD=$", undefined],
    ["app --password hunter2", of("password")],
    ["app --password  hunter2", of("password")],
    ["app -password=hunter2", of("password")],
    ["--password hunter2", of("password")],
    [`app --password="hunter two"`, of("password")],
    [`app --password='hunter two'`, of("password")],
    [`app --password=""`, undefined],
    ["app --api-key hunter2", of("api-key")],
    ["app --password true;x", undefined],
    ["app --password true|x", undefined],
    ["app x--password hunter2", undefined],
    ["app ---password hunter2", undefined],
    ["app --password --verbose", undefined],
    ["app --passwords hunter2", undefined],
    ["mysql -phunter2", CLIENT],
    ["mariadb-dump -u root -phunter2 x", CLIENT],
    ["mysql -p'hunter2'", undefined],
    ["mysql -p$P", undefined],
    ["/usr/bin/mysql -phunter2", CLIENT],
    ["(mysql -phunter2)", CLIENT],
    ["find /var/lib/mysql -print", undefined],
    ["find /var/lib/mysql/data -print0", undefined],
    ["mysql; mkdir -parents", undefined],
    ["mysql | sort -parents", undefined],
    ["mysql\n cp -parents", undefined],
    ["mysql -ptrue;x", undefined],
    ["mkdir -parents", undefined],
    ["mysql x-parents", undefined],
    ["redis-cli -a hunter2 ping", CLIENT],
    ["redis-cli -h db -a hunter2 ping", CLIENT],
    ["redis-cli -a $P ping", undefined],
    ["redis-cli -a `cat /run/secrets/redis` ping", undefined],
    ["redis-cli ping; ls -a hunter2", undefined],
    ["redis-server --requirepass hunter2", of("requirepass")],
    ["curl -u a:hunter2 x", CLIENT],
    ["curl -s --user=a:hunter2 x", CLIENT],
    [`curl --user "a:hunter2" x`, CLIENT],
    [`curl --user  'a:hunter2' x`, CLIENT],
    ["curl -u a: x", undefined],
    ["curl -u a x:y", undefined],
    ["curl -u a:true x", undefined],
    [`curl -u "a:true" x`, undefined],
    ["curl -u :hunter2 x", undefined],
    ["curl; id -u a:hunter2", undefined],
    ["curl x-u a:hunter2", undefined],
    ["id -u a:hunter2", undefined],
    ["ls /etc/curl.d -u a:hunter2", undefined],
  ],
  code: [
    ["$password = 'hunter2';", of("password")],
    ["$this->password='hunter2';", of("password")],
    [`$a["password"] = "hunter2";`, of("password")],
    ["'db.password'  =>  'hunter2'", of("db.password")],
    [`password := "hunter2"`, of("password")],
    ["password: 'hunter2'", of("password")],
    ["password =\n  'hunter2'", of("password")],
    ["password : 'hunter2'", of("password")],
    ["password:'hunter2'", of("password")],
    ["ALTER ROLE app PASSWORD :'password';", undefined],
    ["$password = '';", undefined],
    [`$password = "";`, undefined],
    ["$password = 'a\nb';", undefined],
    [`$password = "a\nb";`, undefined],
    ["$password = hunter2;", undefined],
    ["$password == 'hunter2'", undefined],
    ["$password = 'the word';", undefined],
    ["define('DB_PASSWORD', 'hunter2');", of("DB_PASSWORD")],
    [`define("DB_PASSWORD","hunter2");`, of("DB_PASSWORD")],
    [`define( "DB_PASSWORD" , "hunter2" );`, of("DB_PASSWORD")],
    [`define(\n"DB_PASSWORD"\n,\n"hunter2");`, of("DB_PASSWORD")],
    [`define("DB_PASSWORD", "");`, undefined],
    ["define('DB_PASSWORD', '');", undefined],
    ["define('DB_PASSWORD', 'a\nb');", undefined],
    [`define("DB_PASSWORD", "a\nb");`, undefined],
    ["define(DB_PASSWORD, 'hunter2');", undefined],
    ["app --password hunter2", undefined],
    ["mysql -phunter2", undefined],
  ],
  data: [
    ["password=hunter2", of("password")],
    ["password \t = \t hunter2", of("password")],
    ["db.api-key: hunter2", of("db.api-key")],
    [`"password" : "hunter two"`, of("password")],
    [`'password': 'hunter two'`, of("password")],
    ["password:\n  hunter2", undefined],
    ["password\n= hunter2", undefined],
    [`password: ""`, undefined],
    ["password: ''", undefined],
    [`password: "a\nb"`, undefined],
    ["password: 'a\nb'", undefined],
    ["password: {hunter2}", undefined],
    ["{password: true}", undefined],
    ["[password: true]", undefined],
    ["password: true,x", undefined],
    ["password: true;x", undefined],
    ["password: true x", undefined],
    // Put together elsewhere.
    ["password: 'a{{ b }}'", undefined],
    ["password: read(x)", undefined],
    ["password: '($x)'", undefined],
    ["password: 'a( $x'", undefined],
    ["password: 'a (b)'", of("password")],
    ["password: 'a {b}'", of("password")],
    [`password: "/run/x"`, undefined],
    ["app --password hunter2", undefined],
    ["mysql -phunter2", undefined],
    // Within a quoted value.
    [`{"Default":"Server=db;User Id=sa;Password=Sup3rS3cretX;"}`, of("Password")],
    [`dsn: "host=db user=x password=Sup3rS3cretX"`, of("password")],
    ["primary_conninfo = 'host=db password=Sup3rS3cretX'", of("password")],
    [`environment=A="b",DB_PASSWORD="Sup3rS3cretX"`, of("DB_PASSWORD")],
    [`environment=DB_PASSWORD="Sup3rS3cretX"`, of("DB_PASSWORD")],
    [`opts: "-Ddb.password=hunter2"`, of("-Ddb.password")],
    [`config: '{"password": "hunter2"}'`, of("password")],
    [`config: "{\\"password\\":\\"hunter2\\"}"`, of("password")],
    [`jaas: "required password=\\"hunter2\\";"`, of("password")],
    [`dsn: "host=db password=$P"`, undefined],
    [`dsn: "host=db password=a\${P}"`, undefined],
    [`dsn: "host=db passfile=/run/p"`, undefined],
    [`dsn: "host=db password=/run/p"`, undefined],
    [`dsn: "host=db password=%s"`, undefined],
    [`query: "UPDATE a SET token=?, secret=:secret"`, undefined],
    [`regex: "password=.* token=[^&]+|secret=(x)"`, undefined],
    [`regex: "(password=\\\\S+)"`, undefined],
    [`regex: '"password":"[^"]+"'`, undefined],
    [`summary: "Token: expired for host"`, undefined],
    [`summary: 'wrong password: try again'`, undefined],
    // Without a sign between the two.
    ["requirepass hunter2", of("requirepass")],
    [`  masterauth  "hunter2" `, of("masterauth")],
    ["sentinel auth-pass main hunter2", of("auth-pass main")],
    ["user admin insecure-password hunter2", of("insecure-password")],
    ["port 1\nbindpw hunter2\nssl on", of("bindpw")],
    [`requirepass ""`, undefined],
    ["requirepass ${P}", undefined],
    ["a: set bindpw hunter2", undefined],
    ["bindpw in ldap.conf", undefined],
    ["machine a login b password hunter", of("password")],
    ["machine a\n  login b\n  password hunter", of("password")],
    ["machine a login b password $P", undefined],
    ["<source>\n  password Sup3rS3cretX\n</source>", of("password")],
    ["password reset", undefined],
    ["password Sup3r", undefined],
    ["password 12345678", undefined],
    ["password Sup3rS3cretX it is", undefined],
    ["the password Sup3rS3cretX", undefined],
    ["<a><password>hunter2</password></a>", of("password")],
    ["<password></password>", undefined],
    ["<password>{hunter2=}</password>", undefined],
    ["<password>${env.P}</password>", undefined],
    ["<password_sha256_hex>abcdef</password_sha256_hex>", undefined],
    ["<password>hunter2</token>", undefined],
    // Names of names.
    ["pass_attrs = uid=user,userPassword=password", undefined],
    ["attrs = a,userPassword=password", of("userPassword")],
    ["x pass_attrs = a,userPassword=password", of("userPassword")],
    // Comments.
    ...["#", "//", ";", "*", "/*", "-- ", "REM "].flatMap((mark): [string, undefined][] => [
      [`${mark}password=hunter2`, undefined],
      [`a\n  ${mark} password=hunter2`, undefined],
    ]),
    ["--password=hunter2", of("--password")],
    ["REMOTE_PASSWORD=hunter2", of("REMOTE_PASSWORD")],
    ["password=hunter2 # as of old", of("password")],
    ["# of old\npassword=hunter2", of("password")],
  ],
};

describe("secrets in a text", () => {
  for (const [what, tokens, others] of shapes) {
    for (const token of tokens) {
      it(`${what}: ${token}`, () => assert.equal(secretInText(token, "prose"), what));
    }
    for (const other of others) {
      it(`not ${what}: ${other}`, () => assert.equal(secretInText(other, "prose"), undefined));
    }
  }
  it("a token even in a comment", () =>
    assert.equal(secretInText(`# glpat-${hex(20)}`, "shell"), "a GitLab token"));
  for (const [syntax, rows] of Object.entries(texts)) {
    for (const [text, found] of rows) {
      it(`${syntax}: ${JSON.stringify(text)}`, () =>
        assert.equal(secretInText(text, syntax as Syntax), found));
    }
  }
});

import { change, container, kube, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { Row, table } from "../support/table";

const C = "spec.template.spec.containers[0]";
const env = (name: string, value: unknown) =>
  change(workload("Deployment", "web"), `${C}.env`, [{ name, value }]);
const badEnv = (name: string, value: string): Row => ({
  title: `${name}=${value}`,
  given: env(name, value),
  finds: [`violation web: ${C}.env[0].value`],
});
const goodEnv = (name: string, value: string): Row => ({
  title: `${name}=${value}`,
  given: env(name, value),
});
const file = (name: string, text: unknown) =>
  kube("v1", "ConfigMap", "web", { data: { [name]: text } });
const binary = (name: string, content: string | Buffer) =>
  kube("v1", "ConfigMap", "web", {
    binaryData: { [name]: Buffer.from(content as string).toString("base64") },
  });
const at = (name: string) => (/^\w+$/.test(name) ? `data.${name}` : `data["${name}"]`);
const badFile = (name: string, text: string): Row => ({
  title: `${name}: ${text.split("\n")[0]}`,
  given: file(name, text),
  finds: [`violation web: ${at(name)}`],
});
const goodFile = (name: string, text: string): Row => ({
  title: `${name}: ${text.split("\n")[0]}`,
  given: file(name, text),
});
const args = (...words: unknown[]) => change(workload("Deployment", "web"), `${C}.args`, words);
const badArgs = (index: number, ...words: string[]): Row => ({
  title: words.join(" "),
  given: args(...words),
  finds: [`violation web: ${C}.args[${index}]`],
});
const goodArgs = (...words: string[]): Row => ({ title: words.join(" "), given: args(...words) });
const annotated = (key: string, value: unknown) =>
  change(workload("Deployment", "web"), `metadata.annotations["${key}"]`, value);
const badAnnotation = (key: string, value: string): Row => ({
  title: `${key}: ${value}`,
  given: annotated(key, value),
  finds: [`violation web: metadata.annotations["${key}"]`],
});
const hex = "0123456789abcdef".repeat(4);
const shape = (text: string) => badEnv("SETTING", text);

table("no-plain-secrets", [
  { title: "nothing of the kind", given: workload("Deployment", "web") },
  badEnv("MARIADB_PASSWORD", "hunter2"),
  badEnv("MYSQL_ROOT_PASSWORD", "correct horse"),
  badEnv("DB_PASS", "x7"),
  badEnv("PGPASSWORD", "x7y8"),
  badEnv("ARCHIVE_TOKEN", "abcdef012345"),
  badEnv("apiKey", "abcdef"),
  badEnv("CLIENT_SECRET", "abcdef"),
  badEnv("AUTH_KEY", "abcdef"),
  badEnv("AWS_SECRET_ACCESS_KEY", "abcdef"),
  badEnv("OPEN_AI_KEY", "abcdef"),
  badEnv("SIG_KEY", "abcdef"),
  badEnv("PUSH_INSTALLATION_KEY", "abcdef"),
  badEnv("WORDPRESS_LOGGED_IN_KEY", "abcdef"),
  badEnv("WORDPRESS_NONCE_SALT", "abcdef"),
  badEnv("LLM", `sk-proj-${"a1B2".repeat(9)}`),
  badEnv("SMTP-PASSPHRASE", "abcdef"),
  goodEnv("MARIADB_PASSWORD_FILE", "/run/secrets/password"),
  goodEnv("MARIADB_PASSWORD", "/run/secrets/password"),
  goodEnv("MARIADB_PASSWORD", "$(OTHER)"),
  goodEnv("MARIADB_PASSWORD", ""),
  goodEnv("MARIADB_RANDOM_ROOT_PASSWORD", "yes"),
  goodEnv("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "1"),
  goodEnv("PASSWORD_MIN_LENGTH", "12"),
  goodEnv("TOKEN_EXPIRY", "24h"),
  goodEnv("OLLAMA_MODEL_TOKEN_LIMIT", "4096"),
  goodEnv("PASSWORD_ITERATIONS", "600000"),
  goodEnv("PROXY_PASS", "http://backend:8080"),
  goodEnv("TOKEN_URL", "https://auth.example.com/token"),
  goodEnv("TLS_SECRET", "web-tls"),
  goodEnv("SECRET_NAME", "matomo"),
  goodEnv("AWS_ACCESS_KEY_ID", "abcdef"),
  goodEnv("PWD", "/srv"),
  goodEnv("COMPASS", "north"),
  goodEnv("TOKENIZER", "fast"),
  goodEnv("SECRET_BACKEND", "vault"),
  goodEnv("DB_PASSWORD_KEY", "mariadb-root-password"),
  badEnv("DB_PASSWORD_KEY", "hunter2"),
  {
    title: "a reference to a Secret",
    given: change(workload("Deployment", "web"), `${C}.env`, [
      { name: "DB_PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
    ]),
  },
  {
    title: "a value that is no text",
    given: env("DB_PASSWORD", { from: "vault" }),
    rawOnly: true,
  },
  { title: "a word that is no text", given: args("--password", ["hunter2"]), rawOnly: true },
  { title: "a file that is no text", given: file("password", ["hunter2"]), rawOnly: true },
  {
    title: "a name that is allowed",
    given: env("SITE_TOKEN", "public"),
    settings: { allowedNames: ["SITE_TOKEN"] },
  },
  {
    title: "a name that is allowed, in a file",
    given: file("app.yaml", "siteToken: public"),
    settings: { allowedNames: ["siteToken"] },
  },
  // Words beside the place that names a credential.
  goodArgs("x--password", "hunter2"),
  goodArgs("--password!", "hunter2"),
  badFile("password", "hunter2\n"),
  badFile("v1.2-password", "hunter2"),
  goodFile("password", "how it is\nrotated"),
  goodFile("password.md", "rotated"),
  { title: "a Secret", given: kube("v1", "Secret", "web", { data: { password: "aHVudGVyMg==" } }) },
  {
    title: "another provider's object of the same shape",
    given: { ...file("password", "hunter2"), type: "example:core/v1:ConfigMap" },
  },
  {
    title: "another provider's object with metadata",
    given: {
      ...change(file("a", "b"), "metadata.annotations.password", "hunter2"),
      type: "example:core/v1:ConfigMap",
    },
  },
  {
    title: "a credential's word in an annotation's prefix",
    given: annotated("password.example.com/state", "rotated"),
  },
  ...["Authorization", "Proxy-Authorization", "X-Original-Authorization", "X-Api-Key"].flatMap(
    (name) =>
      ["startupProbe", "lifecycle.postStart", "lifecycle.preStop"].map((handler) => ({
        title: `header ${name} of ${handler}`,
        given: change(workload("Deployment", "web"), `${C}.${handler}.httpGet`, {
          httpHeaders: [{ name, value: "Basic aHVudGVyMg" }],
        }),
        finds: [`violation web: ${C}.${handler}.httpGet.httpHeaders[0].value`],
      })),
  ),
  {
    title: "a header that only begins like a credential's",
    given: change(workload("Deployment", "web"), `${C}.livenessProbe.httpGet`, {
      httpHeaders: [{ name: "Authorization-Kind", value: "by-cookie" }],
    }),
  },
  {
    title: "the value is never told",
    given: env("DB_PASSWORD", "hunter2"),
    finds: [`violation web: ${C}.env[0].value`],
    says: "a literal credential of 7 characters",
  },
  // Shapes that tell themselves, under any name.
  shape("-----BEGIN RSA PRIVATE KEY-----"),
  shape("-----BEGIN PRIVATE KEY-----"),
  shape("AKIAABCDEFGHIJKLMNOP"),
  shape(`ghp_${"a1".repeat(18)}`),
  shape(`glpat-${"a1".repeat(10)}`),
  shape(`dop_v1_${hex}`),
  shape("xoxb-1234567890-abc"),
  shape(`AIza${"a".repeat(35)}`),
  shape("eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK"),
  goodEnv("CHECKSUM", hex),
  goodEnv("CERTIFICATE", "-----BEGIN CERTIFICATE-----"),
  // URLs.
  badEnv("DATABASE_URL", "mysql://matomo:hunter2@db:3306/matomo"),
  badEnv("REDIS_URL", "redis://:hunter2@cache:6379"),
  badEnv("HOOK", "https://example.com/?token_auth=abcdef0123"),
  badEnv("HOOK", "https://example.com/?a=1&access_token=abcdef0123"),
  badEnv("DATABASE", "host=db user=matomo password=hunter2"),
  goodEnv("DATABASE", "host=db user=matomo passfile=/run/secrets/pgpass"),
  goodEnv("DATABASE_URL", "mysql://matomo@db:3306/matomo"),
  goodEnv("DATABASE_URL", "mysql://matomo:$(PASSWORD)@db/matomo"),
  goodEnv("HOOK", "https://example.com/?token_auth=anonymous"),
  goodEnv("HOOK", "https://example.com:8080/a@b"),
  // Command lines.
  badArgs(0, "--password=hunter2"),
  badArgs(1, "--password", "hunter2"),
  badArgs(1, "-token", "abcdef"),
  badArgs(1, "--requirepass", "hunter2"),
  badArgs(0, "curl -u admin:hunter2 https://example.com"),
  badArgs(0, "mariadb -u root -phunter2 matomo"),
  badArgs(0, "mysqldump --password hunter2 matomo"),
  badArgs(0, "export DB_PASSWORD=hunter2; exec app"),
  badArgs(0, "curl -H 'Authorization: Bearer abcdef0123456789'"),
  goodArgs("--password-file=/run/secrets/password"),
  goodArgs("--password=$(DB_PASSWORD)"),
  goodArgs("--password", "--verbose"),
  goodArgs('mariadb -u root -p"$PASSWORD" matomo'),
  goodArgs("mariadb -u root -p$PASSWORD matomo"),
  goodArgs('PASSWORD="$(cat /run/secrets/password)" exec app'),
  goodArgs('curl -H "Authorization: Bearer $TOKEN"'),
  goodArgs("mkdir -p /srv/data"),
  goodArgs("curl -u admin:$PASSWORD https://example.com"),
  {
    title: "in a command",
    given: change(workload("Deployment", "web"), `${C}.command`, ["app", "--api-key=abc"]),
    finds: [`violation web: ${C}.command[1]`],
  },
  {
    title: "in a probe's command",
    given: change(workload("Deployment", "web"), `${C}.livenessProbe.exec.command`, [
      "ping",
      "--password=abc",
    ]),
    finds: [`violation web: ${C}.livenessProbe.exec.command[1]`],
  },
  {
    title: "in a handler's header",
    given: change(workload("Deployment", "web"), `${C}.lifecycle.preStop.httpGet.httpHeaders`, [
      { name: "Accept", value: "text/html" },
      { name: "Authorization", value: "Basic abc" },
    ]),
    finds: [`violation web: ${C}.lifecycle.preStop.httpGet.httpHeaders[1].value`],
  },
  {
    title: "in a probe's path",
    given: change(workload("Deployment", "web"), `${C}.readinessProbe.httpGet.path`, "/?token=abc"),
    finds: [`violation web: ${C}.readinessProbe.httpGet.path`],
  },
  {
    title: "in an init container of a CronJob",
    given: workload(
      "CronJob",
      "web",
      podSpec({
        initContainers: [{ ...container("i"), env: [{ name: "PASSWORD", value: "x7y8" }] }],
      }),
    ),
    finds: ["violation web: spec.jobTemplate.spec.template.spec.initContainers[0].env[0].value"],
  },
  // Annotations and labels.
  {
    title: "an annotation",
    given: annotated("example.com/db-password", "hunter2"),
    finds: ['violation web: metadata.annotations["example.com/db-password"]'],
  },
  {
    title: "an annotation that names a Secret",
    given: annotated("nginx.ingress.kubernetes.io/auth-secret", "users"),
  },
  { title: "a checksum", given: annotated("checksum/password", hex) },
  {
    title: "a date",
    given: annotated("example.com/password-changed-at", "2025-01-01"),
  },
  badAnnotation("example.com/client-secret", "hunter2"),
  badAnnotation("example.com/clientSecret", "Xk29sLq0vR8wZ"),
  badAnnotation("example.com/oauth.client.secret", "a8f5f167f44f4964e6c998dee827110c"),
  badAnnotation("example.com/session-secret", "correct horse"),
  badAnnotation("example.com/webhook-secret", "aGVsbG8/d29ybGQ="),
  badAnnotation("example.com/secret-key", "abc123"),
  badAnnotation("example.com/aws-secret-access-key", "wJalrXUtnFEMI/K7MDENG"),
  // What controllers are told: an object's name, a path in a vault, a switch, a template.
  ...Object.entries({
    "nginx.ingress.kubernetes.io/auth-secret": "htpasswd1",
    "nginx.ingress.kubernetes.io/auth-tls-secret": "shop/ca-2026",
    "nginx.ingress.kubernetes.io/proxy-ssl-secret": "shop/upstream1",
    "nginx.ingress.kubernetes.io/auth-secret-type": "auth-map",
    "nginx.org/basic-auth-secret": "cafe-passwd2",
    "haproxy.org/auth-secret": "shop/htpasswd1",
    "ingress.kubernetes.io/auth-secret": "htpasswd1",
    "traefik.ingress.kubernetes.io/auth-secret": "htpasswd1",
    "cert-manager.io/secret-template": '{"labels":{"app":"web"}}',
    "csi.storage.k8s.io/node-stage-secret-name": "disk1",
    "vault.hashicorp.com/agent-inject-secret-client-secret": "secret/data/web1",
    "vault.hashicorp.com/agent-inject-secret-db.txt": "database/creds/web1",
    "vault.hashicorp.com/agent-inject-template-client-secret":
      '{{ with secret "kv/web1" }}{{ end }}',
    "secrets.hashicorp.com/sync": "true",
    "secret.reloader.stakater.com/reload": "db1,cache2",
    "argocd-image-updater.argoproj.io/web.pull-secret": "pullsecret:argocd/registry1",
    "example.com/client-secret": "github-oauth-2",
    "example.com/api-secret": "vault:kv/web1#key",
    "example.com/webhook-secret": "true",
    "example.com/jwt-secret": "jwt",
    "example.com/secret-sync": "team1",
  }).map(([key, value]): Row => ({ title: `${key}: ${value}`, given: annotated(key, value) })),
  {
    title: "an annotation with a URL",
    given: annotated("example.com/hook", "https://a:b7@c"),
    finds: ['violation web: metadata.annotations["example.com/hook"]'],
  },
  {
    title: "the pods' annotations",
    given: change(
      workload("Deployment", "web"),
      'spec.template.metadata.annotations["token"]',
      "abcdef",
    ),
    finds: ["violation web: spec.template.metadata.annotations.token"],
  },
  {
    title: "the annotations of a CronJob's Jobs",
    given: change(
      workload("CronJob", "web"),
      'spec.jobTemplate.metadata.annotations["token"]',
      "abcdef",
    ),
    finds: ["violation web: spec.jobTemplate.metadata.annotations.token"],
  },
  {
    title: "a bare Pod's annotations, told once",
    given: change(workload("Pod", "web"), "metadata.annotations.token", "abcdef"),
    finds: ["violation web: metadata.annotations.token"],
  },
  {
    title: "a label",
    given: change(workload("Deployment", "web"), "metadata.labels.token", "abcdef"),
    finds: ["violation web: metadata.labels.token"],
  },
  {
    title: "a Secret's annotations",
    given: change(
      kube("v1", "Secret", "db", { stringData: { password: "hunter2" } }),
      "metadata.annotations.password",
      "hunter2",
    ),
    finds: ["violation db: metadata.annotations.password"],
  },
  {
    title: "a Secret is where it belongs",
    given: kube("v1", "Secret", "db", { type: "Opaque", stringData: { password: "hunter2" } }),
  },
  {
    title: "other providers",
    given: { ...file("password", "hunter2"), type: "random:index/randomPassword:RandomPassword" },
  },
  // ConfigMaps.
  badFile("password", "hunter2"),
  goodFile("password", ""),
  badFile("config.ini.php", "[database]\npassword = hunter2"),
  badFile("my.cnf", "[client]\npassword=hunter2"),
  badFile("app.yaml", 'db:\n  password: "hunter2"'),
  badFile("app.json", '{"clientSecret": "hunter2"}'),
  badFile("appsettings.json", '{"Default": "Server=db;User Id=sa;Password=hunter2;"}'),
  badFile("wp-config.php", "define('DB_PASSWORD', 'hunter2');"),
  badFile("config.php", "return ['password' => 'hunter2'];"),
  badFile("config.php", '$password = "hunter2";'),
  badFile("setup.sh", "PASSWORD=hunter2 app"),
  badFile("redis.conf", "requirepass hunter2"),
  badFile("setup.sql", "ALTER USER a WITH PASSWORD 'hunter2';"),
  badFile("setup.sql", "CREATE USER a IDENTIFIED BY 'hunter2';"),
  badFile("settings.js", "module.exports = { apiKey: 'hunter2' }"),
  badFile("notes.txt", "mysql://a:hunter2@db"),
  goodFile("my.cnf", "# password = hunter2"),
  goodFile("app.yaml", "password: ${PASSWORD}"),
  goodFile("app.yaml", "passwordFile: /run/secrets/password"),
  goodFile("app.yaml", "secretName: web-tls"),
  goodFile("app.yaml", "secretBackend: vault\npasswordEncoder: bcrypt\npasswordKey: password"),
  goodFile("postgresql.conf", "password_encryption = scram-sha-256"),
  goodFile("settings.ini", "password_hasher = argon2id"),
  goodFile("dovecot-ldap.conf.ext", "pass_attrs = uid=user,userPassword=password"),
  goodFile("config.php", "$password = file_get_contents('/run/secrets/password');"),
  goodFile("config.php", "$password = trim($given);"),
  goodFile("config.php", "// $password = 'hunter2';"),
  goodFile("config.php", "throw new Error('no token: look at the log');"),
  goodFile("config.php", "const ARCHIVE_TOKEN = 'the token of the archive job';"),
  goodFile("setup.sh", 'password="$(cat "$1")"'),
  goodFile("setup.sh", 'fail "wrong password: try again"'),
  goodFile("setup.sql", "CREATE USER a IDENTIFIED BY '$password';"),
  goodFile("readme.md", "password: choose one"),
  {
    title: "a binary file that is text",
    given: binary("my.cnf", "[client]\npassword=hunter2"),
    finds: ['violation web: binaryData["my.cnf"]'],
  },
  {
    title: "a binary file under a credential's name",
    given: binary("password", "hunter2"),
    finds: ["violation web: binaryData.password"],
    says: "a literal credential of 7 characters",
  },
  { title: "a binary file of settings", given: binary("my.cnf", "[client]\nuser=backup") },
  { title: "an archive", given: binary("a.zip", "PK\\0password=hunter2") },
  {
    title: "an image",
    given: binary("a.png", Buffer.of(0x89, ...Buffer.from("password=hunter2"))),
  },
  // Not known yet.
  {
    title: "binary files not known yet",
    given: kube("v1", "ConfigMap", "web", { binaryData: UNKNOWN }),
    finds: ["unknown web: binaryData"],
  },
  {
    title: "a variable not known yet",
    given: env("DB_PASSWORD", UNKNOWN),
    finds: [`unknown web: ${C}.env[0].value`],
  },
  {
    title: "a file not known yet",
    given: file("app.yaml", UNKNOWN),
    finds: ['unknown web: data["app.yaml"]'],
  },
  {
    title: "a word not known yet",
    given: args("--password", UNKNOWN),
    finds: [`unknown web: ${C}.args[1]`],
  },
  {
    title: "a file not known yet beside one that tells",
    given: kube("v1", "ConfigMap", "web", { data: { a: UNKNOWN, password: "x7y8" } }),
    finds: ["unknown web: data.a", "violation web: data.password"],
  },
]);

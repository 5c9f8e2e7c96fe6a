import { change, container, kube, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const map = (data: unknown, name = "config") => kube("v1", "ConfigMap", name, { data });
const ini = (text: string) => map({ "php.ini": text });
const mounts = [{ name: "config", mountPath: "/etc/php" }];
const volumes = (source: object = { configMap: { name: "config" } }) => [
  { name: "config", ...source },
];
const php = (memory: unknown, more: object = {}, pod: object = {}) =>
  workload(
    "Deployment",
    "web",
    podSpec({
      containers: [
        { ...container(), volumeMounts: mounts, resources: { limits: { memory } }, ...more },
      ],
      volumes: volumes(),
      ...pod,
    }),
  );
const apache = (limit: string, workers: string, more = {}) =>
  map({ "a.ini": `memory_limit = ${limit}`, "b.conf": `MaxRequestWorkers ${workers}`, ...more });
const inInit = workload(
  "Deployment",
  "web",
  podSpec({
    initContainers: [
      { ...container("i"), volumeMounts: mounts, resources: { limits: { memory: "1Gi" } } },
    ],
    volumes: volumes(),
  }),
);
const AT = ["violation web: spec.template.spec.containers[0].resources.limits.memory"];
const ADVICE = AT.map((finding) => finding.replace("violation", "advisory"));

table("php-memory-fits", [
  {
    title: "incident 15: 2G in 1Gi",
    given: [ini("memory_limit = 2G"), php("1Gi")],
    finds: AT,
    says: "2048 MiB, the container has 1024",
  },
  { title: "128M in 128Mi", given: [ini("memory_limit = 128M"), php("128Mi")] },
  { title: "a byte too much", given: [ini("memory_limit = 134217729"), php("128Mi")], finds: AT },
  { title: "kilobytes", given: [ini("memory_limit = 131073k"), php("128Mi")], finds: AT },
  {
    title: "no limit for PHP",
    given: [ini("memory_limit = -1"), php("1Gi")],
    finds: AT,
    says: "-1",
  },
  { title: "no memory_limit", given: [ini("expose_php = Off"), php("1Gi")] },
  { title: "in a comment", given: [ini("; memory_limit = 2G\n;memory_limit = 2G"), php("1Gi")] },
  { title: "in single quotes", given: [ini("memory_limit = '2G'"), php("1Gi")], finds: AT },
  {
    title: "quoted, with spaces",
    given: [ini('  memory_limit="2G" ; much'), php("1Gi")],
    finds: AT,
  },
  { title: "PHP's least", given: [ini("memory_limit = 0"), php("1Gi")] },
  {
    title: "PHP's least beside too large an opcache",
    given: [ini("memory_limit = 0\nopcache.memory_consumption = 200"), php("128Mi")],
    finds: AT,
    says: "need 200 MiB",
  },
  {
    title: "an opcache of no number",
    given: [ini("memory_limit = 128M\nopcache.memory_consumption = much"), php("128Mi")],
  },
  ...["much", "2048MB", "${LIMIT}"].map((limit) => ({
    title: `no size: ${limit}`,
    given: [ini(`memory_limit = ${limit}`), php("1Gi")],
    finds: ADVICE,
    says: `memory_limit ${limit} is no size`,
  })),
  {
    title: "the last one wins",
    given: [ini("memory_limit = 2G\nmemory_limit = 512M"), php("1Gi")],
  },
  {
    title: "the last file wins",
    given: [map({ "99.ini": "memory_limit = 2G", "10.ini": "memory_limit = 1M" }), php("1Gi")],
    finds: AT,
  },
  {
    title: "a file that is no ini",
    given: [map({ "notes.txt": "memory_limit = 2G" }), php("1Gi")],
  },
  {
    title: "opcache counts once",
    given: [ini("memory_limit = 128M\nopcache.memory_consumption = 64"), php("191Mi")],
    finds: AT,
  },
  {
    title: "opcache fits",
    given: [ini("memory_limit = 128M\nopcache.memory_consumption = 64"), php("192Mi")],
  },
  // Workers.
  { title: "four Apache workers", given: [apache("256M", "4"), php("1Gi")] },
  {
    title: "five Apache workers",
    given: [apache("256M", "5"), php("1Gi")],
    finds: AT,
    says: "5 × memory_limit 256M",
  },
  {
    title: "by a Define",
    given: [apache("256M", "${N}", { "c.conf": "Define N 5" }), php("1Gi")],
    finds: AT,
  },
  {
    title: "by a variable of the environment",
    given: [apache("256M", "${N}"), php("1Gi", { env: [{ name: "N", value: "5" }] })],
    finds: AT,
  },
  { title: "by nothing that is known", given: [apache("256M", "${N}"), php("1Gi")] },
  {
    title: "PHP-FPM's children",
    given: [map({ "a.ini": "memory_limit=256M", "w.conf": "pm.max_children = 5" }), php("1Gi")],
    finds: AT,
  },
  {
    title: "PHP-FPM's children, and PHP's own limit",
    given: [map({ "a.ini": "expose_php = Off", "w.conf": "pm.max_children = 50" }), php("1Gi")],
    finds: AT,
    says: "50 × memory_limit 128M (PHP's own) and",
  },
  {
    title: "PHP-FPM's children within PHP's own limit",
    given: [map({ "a.ini": "expose_php = Off", "w.conf": "pm.max_children = 8" }), php("1Gi")],
  },
  {
    title: "PHP-FPM's children, and no php.ini",
    given: [map({ "w.conf": "pm.max_children = 50" }), php("1Gi")],
  },
  {
    title: "Apache's workers, and PHP's own limit",
    given: [map({ "php.ini": "expose_php = Off", "w.conf": "MaxRequestWorkers 50" }), php("1Gi")],
    finds: AT,
  },
  {
    title: "Apache's workers beside an ini that is not PHP's",
    given: [map({ "odbc.ini": "[db]", "w.conf": "MaxRequestWorkers 50" }), php("1Gi")],
  },
  {
    title: "PHP's own limit of workers that are not stated",
    given: [map({ "php.ini": "expose_php = Off", "w.conf": "Listen 80" }), php("64Mi")],
  },
  {
    title: "PHP's own limit on the command line",
    given: [map({ "php.ini": "expose_php = Off", "w.conf": "pm.max_children = 50" }), inInit],
  },
  {
    title: "Apache's old name",
    given: [map({ "a.ini": "memory_limit=256M", "w.conf": "MaxClients 5" }), php("1Gi")],
    finds: AT,
  },
  {
    title: "a limit of Apache's own, for all its workers",
    given: [apache("128M", "4\nphp_admin_value memory_limit 512M"), php("1Gi")],
    finds: AT,
    says: "4 × memory_limit 512M",
  },
  {
    title: "a limit of the pool's own, and no php.ini",
    given: [map({ "w.conf": "pm.max_children = 4\nphp_value[memory_limit] = 512M" }), php("1Gi")],
    finds: AT,
    says: "4 × memory_limit 512M",
  },
  {
    title: "an init container reads no server's configuration",
    given: [apache("256M", "4\nphp_admin_value memory_limit 2G"), inInit],
  },
  {
    title: "a server's configuration not known yet",
    given: [map({ "php.ini": "memory_limit = 1M", "w.conf": UNKNOWN }), php("1Gi")],
    finds: ["unknown web: ConfigMap"],
  },
  {
    title: "by setting",
    given: [ini("memory_limit = 256M"), php("1Gi")],
    settings: { workers: 5 },
    finds: AT,
  },
  {
    title: "an init container runs one process",
    given: [apache("256M", "5"), inInit],
  },
  // Mounts.
  {
    title: "another container mounts it",
    given: [ini("memory_limit = 2G"), php("1Gi", { volumeMounts: [] })],
  },
  {
    title: "a volume of another name",
    given: [ini("memory_limit = 2G"), php("1Gi", { volumeMounts: [{ name: "x" }] })],
  },
  {
    title: "a ConfigMap of another name",
    given: [map({ "php.ini": "memory_limit = 2G" }, "other"), php("1Gi")],
  },
  {
    title: "a ConfigMap of another namespace",
    given: [change(ini("memory_limit = 2G"), "metadata.namespace", "blog"), php("1Gi")],
  },
  {
    title: "a projected ConfigMap",
    given: [
      ini("memory_limit = 2G"),
      php(
        "1Gi",
        {},
        { volumes: volumes({ projected: { sources: [{ configMap: { name: "config" } }] } }) },
      ),
    ],
    finds: AT,
  },
  {
    title: "by subPath, under a name of its own",
    given: [
      map({ php: "memory_limit = 2G" }),
      php("1Gi", { volumeMounts: [{ name: "config", subPath: "php", mountPath: "/a/php.ini" }] }),
    ],
    finds: AT,
  },
  {
    title: "another file by subPath",
    given: [
      ini("memory_limit = 2G"),
      php("1Gi", { volumeMounts: [{ name: "config", subPath: "b.ini", mountPath: "/a/b.ini" }] }),
    ],
  },
  {
    title: "an item under another name",
    given: [
      map({ php: "memory_limit = 2G" }),
      php(
        "1Gi",
        {},
        {
          volumes: volumes({
            configMap: { name: "config", items: [{ key: "php", path: "x/php.ini" }] },
          }),
        },
      ),
    ],
    finds: AT,
  },
  {
    title: "only other items",
    given: [
      ini("memory_limit = 2G"),
      php(
        "1Gi",
        {},
        {
          volumes: volumes({
            configMap: { name: "config", items: [{ key: "b.ini", path: "b.ini" }] },
          }),
        },
      ),
    ],
  },
  // Limits.
  { title: "no limit: another rule's finding", given: [ini("memory_limit = 2G"), php(undefined)] },
  {
    title: "the pod's own limit",
    given: [
      ini("memory_limit = 2G"),
      php(undefined, {}, { resources: { limits: { memory: "1Gi" } } }),
    ],
    finds: AT,
  },
  {
    title: "a CronJob",
    given: [
      ini("memory_limit = 2G"),
      workload(
        "CronJob",
        "web",
        podSpec({ containers: [{ ...container(), volumeMounts: mounts }], volumes: volumes() }),
      ),
    ],
    finds: [
      "violation web: spec.jobTemplate.spec.template.spec.containers[0].resources.limits.memory",
    ],
  },
  // Not known yet.
  {
    title: "the limit not known yet",
    given: [ini("memory_limit = 2G"), php(UNKNOWN)],
    finds: ["unknown web: spec.template.spec.containers[0].resources.limits.memory"],
  },
  { title: "the limit not known yet, nothing to fit", given: [ini(""), php(UNKNOWN)] },
  {
    title: "the ConfigMap not known yet",
    given: [map(UNKNOWN), php("1Gi")],
    finds: ["unknown web: ConfigMap"],
  },
  {
    title: "a php.ini not known yet",
    given: [map({ "php.ini": UNKNOWN }), php("1Gi")],
    finds: ["unknown web: ConfigMap"],
  },
  {
    title: "another file not known yet",
    given: [map({ "a.ini": "memory_limit = 128M", "b.json": UNKNOWN }), php("128Mi")],
  },
]);

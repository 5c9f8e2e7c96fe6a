/**
 * Passwords and tokens, made once (design decision 5, incident 12).
 *
 * Objects: Secrets `matomo`, `matomo-mariadb` with exactly the contract's keys, `matomo-backup`, the
 * token with which the backup reads the web pod's state, and where backups are brought off-site
 * `matomo-offsite`, the bucket's key pair and the repository's password.
 *
 * The old deploy script made fresh passwords at each upgrade and locked itself out. Here they live
 * in Pulumi's state as secrets; no argument that changes later regenerates them, and they outlive
 * the stack, because the volumes do.
 */
import { Secret } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword, type RandomPasswordArgs } from "@pulumi/random/randomPassword";
import { DATABASE_USER, NAMES, objectMeta } from "./labels";

export interface CredentialsArgs {
  passwords: Passwords;
  /** Login of the administrator. */
  username: string;
  /** The administrator's address. */
  email: string;
  /** Where backups are brought off-site: the bucket's key pair, and a repository's own password. */
  offsite?: { key: pulumi.Input<KeyPair>; repositoryPassword?: string };
}

/** Of a bucket. */
export interface KeyPair {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface PasswordsArgs {
  /** Whether there is an off-site repository, which has a password. */
  offsite: boolean;
}

/** A Secret's name and what is in it, for mounts and their checksum. */
export interface MountedSecret {
  name: pulumi.Output<string>;
  data: pulumi.Output<Record<string, string>>;
}

/** Every password and token, in the state alone. Made before anything else, once. */
export class Passwords extends pulumi.ComponentResource {
  readonly admin: pulumi.Output<string>;
  readonly archiveToken: pulumi.Output<string>;
  readonly database: pulumi.Output<string>;
  readonly databaseRoot: pulumi.Output<string>;
  readonly stateToken: pulumi.Output<string>;
  /** Undefined without an off-site repository. */
  readonly offsite?: pulumi.Output<string>;

  constructor(name: string, args: PasswordsArgs, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Passwords", name, {}, opts);
    this.admin = this.password("admin-password");
    this.archiveToken = this.token("archive-token");
    this.database = this.password("database-password");
    this.databaseRoot = this.password("database-root-password");
    this.stateToken = this.token("state-token");
    if (args.offsite) this.offsite = this.password("offsite-password");
    this.registerOutputs({});
  }

  /** 32 letters and digits: safe in config.ini.php, a shell and a client's option file alike. */
  private password(name: string): pulumi.Output<string> {
    return this.random(name, { length: 32, special: false });
  }

  /**
   * 32 hexadecimal characters, as Matomo's tokens are. A RandomPassword over that alphabet, because
   * RandomBytes and RandomId carry their value in the resource's id, which no state file encrypts.
   */
  private token(name: string): pulumi.Output<string> {
    const hexadecimal = { upper: false, lower: false, numeric: false, special: true };
    return this.random(name, { length: 32, ...hexadecimal, overrideSpecial: "0123456789abcdef" });
  }

  private random(name: string, args: RandomPasswordArgs): pulumi.Output<string> {
    // Every argument forces a replacement: what was made or adopted once is never judged again.
    const ignoreChanges = ["length", "special", "upper", "lower", "numeric", "overrideSpecial"];
    return new RandomPassword(name, args, { parent: this, protect: true, ignoreChanges }).result;
  }
}

export class Credentials extends pulumi.ComponentResource {
  /** Keys matomo-username, matomo-password, matomo-email, archive-token. */
  readonly site: MountedSecret;
  /** Keys mariadb-username, mariadb-password, mariadb-root-password. */
  readonly database: MountedSecret;
  /** Key state-token. */
  readonly backup: MountedSecret;
  /** Keys credentials, repository-password; undefined without an off-site repository. */
  readonly offsite?: MountedSecret;

  constructor(name: string, args: CredentialsArgs, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Credentials", name, {}, opts);
    this.site = this.secret("site", NAMES.web, {
      "matomo-username": args.username,
      "matomo-password": args.passwords.admin,
      "matomo-email": args.email,
      "archive-token": args.passwords.archiveToken,
    });
    this.database = this.secret("database", NAMES.database, {
      "mariadb-username": DATABASE_USER,
      "mariadb-password": args.passwords.database,
      "mariadb-root-password": args.passwords.databaseRoot,
    });
    this.backup = this.secret("backup", NAMES.backup, { "state-token": args.passwords.stateToken });
    if (args.offsite && args.passwords.offsite) {
      const { key, repositoryPassword } = args.offsite;
      this.offsite = this.secret("offsite", NAMES.offsite, {
        credentials: pulumi.secret(key).apply(offsiteCredentials),
        "repository-password":
          repositoryPassword === undefined
            ? args.passwords.offsite
            : pulumi.secret(repositoryPassword),
      });
    }
    this.registerOutputs({});
  }

  private secret(
    name: string,
    secretName: string,
    data: Record<string, pulumi.Input<string>>,
  ): MountedSecret {
    const secret = new Secret(
      name,
      // Without its type stated, an imported Secret would be replaced (adoption.md).
      { metadata: objectMeta(secretName), type: "Opaque", stringData: data },
      { parent: this, protect: true, retainOnDelete: true },
    );
    return { name: secret.metadata.name, data: pulumi.output(data) };
  }
}

/** The key pair of a bucket, as restic's S3 client reads it from a file. */
export function offsiteCredentials({ accessKeyId, secretAccessKey }: KeyPair): string {
  return `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
}

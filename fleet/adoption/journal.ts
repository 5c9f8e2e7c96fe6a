/**
 * What is kept of a site before its adoption begins: the stack's state and every object as it was,
 * in one file of its owner alone. An interrupted adoption goes on with it, an undo puts it back.
 *
 * The values of the site's Secrets are not in it, only the names of their keys: adoption keeps the
 * values. Helm's release records are, because they are removed in the end; Helm puts passwords into
 * them, so the file is as secret as the cluster's own Secrets.
 */
import type { Data, Deployment } from "../engine";

/** A PersistentVolume with the reclaim policy that it had. */
export interface Volume {
  name: string;
  uid: string;
  policy: string;
}

export interface Journal {
  format: 1;
  stack: string;
  started: string;
  /** Every write to the cluster and to the state has been made. */
  finished?: string;
  identity: string;
  /** The stack's state before; its secrets are encrypted. */
  state: Deployment;
  /** PersistentVolumes that would have gone with their claims, and are told to stay. */
  volumes: Volume[];
  /** Objects that adoption takes over, as they were. Secrets without values. */
  objects: Data[];
  /** Keys of each Secret, by its name. */
  secretKeys: Record<string, string[]>;
  /** Objects that the program adds. */
  added: Data[];
  /** Objects of the release that go away in the end. */
  leftovers: Data[];
  records: Data[];
  /** When the proven backup was made. */
  backup?: string;
}

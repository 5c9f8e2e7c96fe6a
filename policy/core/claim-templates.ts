/** The claim templates of StatefulSets: each pod has a claim of its own, `<template>-<set>-<ordinal>`. */
import { View } from "./data";
import { KubeObject } from "./objects";

export interface ClaimTemplate {
  set: KubeObject;
  at: View;
  /** The spec of the claims. */
  spec: View;
  /** What the names of its claims begin with: namespace/`<template>-<set>`. */
  prefix: string;
}

export function claimTemplates(set: KubeObject): ClaimTemplate[] {
  return set.view
    .at("spec", "volumeClaimTemplates")
    .list()
    .map((at) => {
      const name = `${at.at("metadata", "name").text()}-${set.name()}`;
      return { set, at, spec: at.at("spec"), prefix: `${set.namespace()}/${name}` };
    });
}

/** The ordinal of a StatefulSet's first pod. */
export function firstOrdinal(set: KubeObject): number {
  return set.view.at("spec", "ordinals", "start").number() ?? 0;
}

/** The claim of its first pod. */
export const firstClaim = ({ set, prefix }: ClaimTemplate) => `${prefix}-${firstOrdinal(set)}`;

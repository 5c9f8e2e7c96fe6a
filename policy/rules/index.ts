/** The rules of the pack, in the order in which policy/README.md tells them. */
import type { Rule } from "../core/rule";
import rwoVolumeNotShared from "./rwo-volume-not-shared";
import selectorCarriesComponent from "./selector-carries-component";
import serviceSelectsOneComponent from "./service-selects-one-component";
import rwoWorkloadRecreates from "./rwo-workload-recreates";
import disruptionBudgetAllowsDrain from "./disruption-budget-allows-drain";
import cronJobIsBounded from "./cron-job-is-bounded";
import imageIsPinned from "./image-is-pinned";
import podsAreRestricted from "./pods-are-restricted";
import tokenOnlyWhereBound from "./token-only-where-bound";
import containersDeclareResources from "./containers-declare-resources";
import probesStateTimeouts from "./probes-state-timeouts";
import noPlainSecrets from "./no-plain-secrets";
import phpMemoryFits from "./php-memory-fits";
import dataIsProtected from "./data-is-protected";
import networkDefaultDeny from "./network-default-deny";
import workloadsAreAnalysed from "./workloads-are-analysed";

export const rules: Rule[] = [
  rwoVolumeNotShared,
  selectorCarriesComponent,
  serviceSelectsOneComponent,
  rwoWorkloadRecreates,
  disruptionBudgetAllowsDrain,
  cronJobIsBounded,
  imageIsPinned,
  podsAreRestricted,
  tokenOnlyWhereBound,
  containersDeclareResources,
  probesStateTimeouts,
  noPlainSecrets,
  phpMemoryFits,
  dataIsProtected,
  networkDefaultDeny,
  workloadsAreAnalysed,
];

/** The policy pack. Constructing it starts a server, so everything else lives in rules/ and core/. */
import { PolicyPack } from "@pulumi/policy";
import { toPolicies } from "./core/pack";
import { rules } from "./rules";

new PolicyPack("matomo-fleet", { policies: toPolicies(rules) });

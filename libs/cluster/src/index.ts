export { type ChoiceSettings, chancesOf, type EndpointChance } from './chances.ts';
export type { DialTarget, EndpointCheck, EndpointSpec, HostHealth } from './endpoint-spec.ts';
export { type EndpointGroup, readAddress, readAssignment, type TransportSelector } from './endpoints.ts';
export {
  type BalancedHost,
  type BalancingSettings,
  compileBalancing,
  type HostSlowStart,
  overprovisioningOf,
} from './load-balancing.ts';
export { holdsAll } from './metadata.ts';
export { availabilityOf, type LocalityHosts, prioritySharesOf, type PriorityShare } from './priority-shares.ts';
export { compileSubsets, subsetOf, type SubsetSettings } from './subsets.ts';

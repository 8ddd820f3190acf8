export { runService, type Service, type ServiceContext, settingsOf } from './run.ts';
export { createReadiness, type Gate, type Readiness } from './readiness.ts';
export { compileAdminPolicy, passes, type AdminPolicyOptions } from './access.ts';
export { beginAnewSetting } from './begin-anew.ts';
export { operationsPages } from './operations.ts';
export {
  checkIdentitySettings,
  citadelIdentity,
  CONTROL_PLANE_NAMESPACE,
  controlPlaneIdentity,
  identitySettings,
  openServiceIdentity,
  spiffeIdSetting,
  tokenOf,
  trustDomainSetting,
  type IdentitySettings,
} from './identity.ts';
export * from './settings/index.ts';
export { ExitCode, exitCodeOf } from './exit-codes.ts';
export { untilSignal } from './signals.ts';

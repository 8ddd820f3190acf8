export { compileAdminPolicy, type AdminPolicyOptions } from './access.ts';

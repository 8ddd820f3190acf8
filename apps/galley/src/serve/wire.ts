import { create } from '@bufbuild/protobuf';
import {
  AppliedResource_Outcome as WireOutcome,
  AppliedResourceSchema,
  ChangeSchema,
  Finding_Severity as WireSeverity,
  FindingSchema,
  ValidationReportSchema,
} from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import type {
  AppliedResource,
  Change,
  Finding as WireFinding,
  ValidationReport,
} from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { keyToWire, originToWire, resourceToWire } from '@flotilla/model';
import type { Finding, Resource, ResourceKey } from '@flotilla/model';
import type { Applied } from '../write/apply.ts';
import type { Report } from '../write/report.ts';
import type { Outcome } from '../write/plan-puts.ts';

const SEVERITIES: Readonly<Record<Finding['severity'], WireSeverity>> = {
  error: WireSeverity.ERROR,
  warning: WireSeverity.WARNING,
  info: WireSeverity.INFO,
};

const OUTCOMES: Readonly<Record<Outcome, WireOutcome>> = {
  created: WireOutcome.CREATED,
  configured: WireOutcome.CONFIGURED,
  unchanged: WireOutcome.UNCHANGED,
  deleted: WireOutcome.DELETED,
};

export function findingToWire(finding: Finding): WireFinding {
  const { severity, code, resource, field, origin, message, hint } = finding;
  return create(FindingSchema, {
    severity: SEVERITIES[severity],
    code,
    ...(resource === null ? {} : { resource: keyToWire(resource) }),
    field,
    origin: originToWire(origin),
    message,
    hint,
  });
}

export function reportToWire({ findings, ignored }: Report): ValidationReport {
  return create(ValidationReportSchema, { findings: findings.map(findingToWire), ignored: [...ignored] });
}

export function appliedToWire(resources: Applied['resources']): AppliedResource[] {
  return resources.map(({ key, outcome }) =>
    create(AppliedResourceSchema, { key: keyToWire(key), outcome: OUTCOMES[outcome] }),
  );
}

/** `resource` is `null` when it was deleted. */
export function changeToWire(key: ResourceKey, resource: Resource | null, version: number): Change {
  return create(ChangeSchema, {
    key: keyToWire(key),
    version: BigInt(version),
    ...(resource === null ? {} : { resource: resourceToWire(resource) }),
  });
}

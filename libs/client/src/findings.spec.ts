import { create } from '@bufbuild/protobuf';
import { type Finding, Finding_Severity, FindingSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { describe, expect, it } from 'vitest';
import { RefusedChangeError } from './failure.ts';
import { formatReport } from './findings.ts';

const findings = (count: number, severity: Finding_Severity): Finding[] =>
  Array.from({ length: count }, (_, at) => create(FindingSchema, { severity, code: 'FLT0001', message: `${at}` }));

describe('a report as text', () => {
  it('tells everything of a short one, in its order', () => {
    const few = [...findings(1, Finding_Severity.WARNING), ...findings(1, Finding_Severity.ERROR)];
    expect(formatReport({ findings: few, ignored: ['v1 Secret a'] })).toEqual([
      'warning FLT0001: 0',
      'error FLT0001: 0',
      'ignored: v1 Secret a',
    ]);
  });

  it('tells the first errors of a long one, and how much more there is', () => {
    const many = [...findings(500, Finding_Severity.WARNING), ...findings(60, Finding_Severity.ERROR)];
    const lines = formatReport({ findings: many, ignored: Array.from({ length: 300 }, (_, at) => `name ${at}`) });
    expect(lines).toHaveLength(202);
    expect([lines[0], lines[59], lines[60], lines[100]]).toEqual([
      'error FLT0001: 0',
      'error FLT0001: 59',
      'warning FLT0001: 0',
      'and 460 more',
    ]);
    expect(lines.slice(-2)).toEqual(['ignored: name 99', 'and 200 more']);
  });

  it('is as short in the error of a refused change, which has all findings beside it', () => {
    const error = new RefusedChangeError(findings(1_000, Finding_Severity.ERROR), null);
    expect(error.message.split('\n')).toHaveLength(102);
    expect(error.message).toMatch(/and 900 more$/);
    expect(error.findings).toHaveLength(1_000);
  });
});

import { FakeClock } from '@flotilla/runtime';
import { create } from '@bufbuild/protobuf';
import {
  type OutlierDetection,
  OutlierDetectionSchema,
} from '@flotilla/wire/envoy/config/cluster/v3/outlier_detection_pb.js';
import { describe, expect, it } from 'vitest';
import { StatsRegistry } from '../base/stats.ts';
import { Host } from './host.ts';
import { OutlierDetector } from './outlier-detector.ts';
import { compileOutlierDetection } from './outlier-settings.ts';
import { openRawTransport } from './transport.ts';

const transport = openRawTransport();

function hostAt(port: number): Host {
  const target = { host: '10.0.0.1', port, path: null, hostname: '', weight: 1, peer: null, hashKey: null };
  return new Host({ ...target, health: 'healthy', transportIndex: 0 }, transport, 0);
}

function detectorOf(fields: Partial<Omit<OutlierDetection, '$typeName'>>, hosts: readonly Host[]) {
  const clock = new FakeClock();
  const stats = new StatsRegistry();
  const settings = compileOutlierDetection(create(OutlierDetectionSchema, { maxEjectionPercent: 100, ...fields }));
  if (settings === null) throw new Error('no settings');
  const detector = new OutlierDetector(settings, 'c', {
    clock,
    stats,
    random: () => 0,
    hosts: () => hosts,
    onChange: () => undefined,
  });
  const answers = (host: Host | undefined, status: number, times: number): void => {
    for (let time = 0; host !== undefined && time < times; time++) detector.report(host, { kind: 'answer', status });
  };
  return { detector, clock, stats, answers };
}

describe('outlier detection', () => {
  it('takes out a host whose success rate is far below the others', () => {
    const hosts = [1, 2, 3, 4, 5].map(hostAt);
    const { clock, answers, stats } = detectorOf({ consecutive5xx: 1000 }, hosts);
    for (const host of hosts.slice(0, 4)) answers(host, 200, 100);
    for (let time = 0; time < 50; time++) {
      answers(hosts[4], 200, 1);
      answers(hosts[4], 500, 1);
    }
    clock.advance(10_000);
    expect(hosts.map(({ isEjected }) => isEjected)).toEqual([false, false, false, false, true]);
    expect(stats.counter('cluster.c.outlier_detection.ejections_enforced_success_rate').value).toBe(1);
  });

  it('takes out hosts above a percentage of failures, where that is enforced', () => {
    const hosts = [1, 2, 3, 4, 5].map(hostAt);
    const fields = { consecutive5xx: 1000, enforcingSuccessRate: 0, enforcingFailurePercentage: 100 };
    const { clock, answers } = detectorOf(fields, hosts);
    for (const host of hosts) answers(host, 200, 8);
    for (const host of hosts.slice(0, 2)) answers(host, 500, 60);
    for (const host of hosts.slice(2)) answers(host, 200, 60);
    clock.advance(10_000);
    expect(hosts.map(({ isEjected }) => isEjected)).toEqual([true, true, false, false, false]);
  });

  it('keeps a host out for longer each time', () => {
    const host = hostAt(1);
    const { clock, answers } = detectorOf({ consecutive5xx: 1 }, [host]);
    const outMs: number[] = [];
    for (let round = 0; round < 2; round++) {
      answers(host, 500, 1);
      expect(host.isEjected).toBe(true);
      let ms = 0;
      for (; host.isEjected; ms += 10_000) clock.advance(10_000);
      outMs.push(ms);
    }
    expect(outMs).toEqual([30_000, 60_000]);
  });

  it('forgets what it counted when discovery takes the host away', () => {
    const host = hostAt(1);
    const { detector, answers, stats } = detectorOf({ consecutive5xx: 1 }, [host]);
    answers(host, 500, 1);
    detector.forget(host);
    expect(stats.gauge('cluster.c.outlier_detection.ejections_active').value).toBe(0);
  });
});

import { HeaderList } from '@flotilla/http-codec';
import { systemClock } from '@flotilla/runtime';
import { create } from '@bufbuild/protobuf';
import { GrpcServiceSchema } from '@flotilla/wire/envoy/config/core/v3/grpc_service_pb.js';
import { describe, expect, it } from 'vitest';
import type { ClusterManager, UpstreamHandler, UpstreamRequest } from '../ports/cluster-manager.ts';
import { callUnary, type GrpcOutcome } from './call.ts';
import { frameOf } from '../protocol/grpc/frames.ts';
import { compileGrpcTarget } from './target.ts';

interface Called {
  readonly request: UpstreamRequest;
  readonly handler: UpstreamHandler;
  readonly outcomes: readonly GrpcOutcome[];
}

/** A call to a service that is configured like this, as its upstream sees it. */
function call(envoyGrpc: { readonly skipEnvoyHeaders?: boolean; readonly maxReceiveMessageLength?: number }): Called {
  const value = { clusterName: 'service', ...envoyGrpc };
  const service = create(GrpcServiceSchema, { targetSpecifier: { case: 'envoyGrpc', value } });
  const opened: (readonly [UpstreamRequest, UpstreamHandler])[] = [];
  const outcomes: GrpcOutcome[] = [];
  const cluster = {
    pick: () => ({}),
    open(_host: unknown, request: UpstreamRequest, handler: UpstreamHandler) {
      opened.push([request, handler]);
      return { write: () => true, end: () => undefined, abort: () => undefined };
    },
    countResponse: () => undefined,
  };
  // As much of a cluster manager as a call needs.
  const clusters = { get: () => cluster } as unknown as ClusterManager;
  const caller = { clusters, clock: systemClock, random: Math.random };
  callUnary(caller, compileGrpcTarget(service, 0, 'service'), '/a/b', Buffer.of(), (outcome) => outcomes.push(outcome));
  const [[request, handler] = []] = opened;
  if (request === undefined || handler === undefined) throw new Error('nothing was called');
  return { request, handler, outcomes };
}

describe('a call of the proxy itself', () => {
  it('says that it comes from within', () => {
    const { headers } = call({}).request;
    expect(headers.get('x-envoy-internal')).toBe('true');
    expect(headers.get('x-forwarded-for')).toMatch(/./);
  });

  it('does not, with skip_envoy_headers', () => {
    const { headers } = call({ skipEnvoyHeaders: true }).request;
    expect(headers.has('x-envoy-internal')).toBe(false);
    expect(headers.has('x-forwarded-for')).toBe(false);
  });

  const answer = ({ handler, outcomes }: Called, bytes: number) => {
    handler.onHead(200, HeaderList.of({}), true);
    handler.onData(frameOf(Buffer.alloc(bytes)));
    handler.onEnd(HeaderList.of({ 'grpc-status': '0' }));
    return outcomes.map(({ status }) => status);
  };

  it('takes an answer of max_receive_message_length', () => {
    expect(answer(call({ maxReceiveMessageLength: 10 }), 10)).toEqual([0]);
  });

  it('fails with RESOURCE_EXHAUSTED when the answer is longer', () => {
    expect(answer(call({ maxReceiveMessageLength: 10 }), 11)).toEqual([8]);
  });

  it('fails as soon as so many bytes are there', () => {
    const called = call({ maxReceiveMessageLength: 10 });
    called.handler.onData(frameOf(Buffer.alloc(100)).subarray(0, 20));
    expect(called.outcomes.map(({ status }) => status)).toEqual([8]);
  });

  it('has no limit but its own with 0', () => {
    expect(answer(call({ maxReceiveMessageLength: 0 }), 1000)).toEqual([0]);
  });
});

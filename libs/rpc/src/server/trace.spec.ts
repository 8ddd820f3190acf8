import { createClient } from '@connectrpc/connect';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { context, propagation } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { silentLogger } from '@flotilla/observe';
import { FlotillaError } from '@flotilla/runtime';
import { CitadelService } from '@flotilla/wire/flotilla/citadel/v1/citadel_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcTransport } from '../client/transport.ts';
import { type RpcServer, serveRpc } from './serve.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('spans of calls', () => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  let server: RpcServer;

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    server = await serveRpc({
      address: { host: '127.0.0.1', port: 0 },
      logger: silentLogger,
      tracer: provider.getTracer('test'),
      routes: (router) =>
        router.service(CitadelService, {
          getTrustBundle: () => ({ trustDomain: 'cluster.local' }),
          createToken() {
            throw new FlotillaError('forbidden', 'not you');
          },
        }),
    });
  });
  afterAll(async () => {
    await server.close();
    context.disable();
    propagation.disable();
  });

  it('continues the trace of the caller, and says how the call ended', async () => {
    const transport = createRpcTransport({ url: server.url });
    const client = createClient(CitadelService, transport);
    await client.getTrustBundle({}, { headers: { traceparent: PARENT } });
    await expect(client.createToken({})).rejects.toThrow('not you');
    await transport.close();
    const [first, second] = exporter.getFinishedSpans();
    expect(first?.name).toBe('flotilla.citadel.v1.CitadelService/GetTrustBundle');
    expect(first?.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(first?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(second?.status).toMatchObject({ message: 'not you' });
  });
});

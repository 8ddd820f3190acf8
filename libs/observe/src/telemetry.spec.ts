import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openTelemetry } from './telemetry.ts';

describe('telemetry', () => {
  it('renders metrics as Prometheus text', async () => {
    const telemetry = await openTelemetry({ service: 'pilot', version: '1.2.3', otlpEndpoint: null });
    telemetry.meter.createCounter('pilot_xds_pushes').add(3, { type: 'cds' });
    expect(await telemetry.prometheusText()).toContain('pilot_xds_pushes_total{type="cds"} 3');
    await telemetry.close();
  });

  it('makes no spans without an endpoint', async () => {
    const telemetry = await openTelemetry({ service: 'pilot', version: '1.2.3', otlpEndpoint: null });
    expect(telemetry.tracer.startSpan('push').isRecording()).toBe(false);
    await telemetry.close();
  });

  it('sends spans to the OTLP endpoint, at the latest when closed', async () => {
    const collector = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
        collector.emit('spans', request.url, Buffer.concat(chunks).toString());
      });
    });
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    // A listening TCP server always has an AddressInfo.
    const { port } = collector.address() as AddressInfo;
    const telemetry = await openTelemetry({
      service: 'galley',
      version: '1.2.3',
      otlpEndpoint: `http://127.0.0.1:${port}`,
    });
    const received = once(collector, 'spans');
    telemetry.tracer.startActiveSpan('commit', (span) => span.end());
    await telemetry.close();
    const [url, body] = await received;
    expect(url).toBe('/v1/traces');
    expect(body).toContain('"commit"');
    expect(body).toContain('galley');
    collector.close();
  });
});

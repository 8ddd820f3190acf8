import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';

function sink(): { stream: Writable; text(): string } {
  let written = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  return { stream, text: () => written };
}

describe('logger', () => {
  it('writes one JSON object a line, with fields of the child and of the call', async () => {
    const { stream, text } = sink();
    const logger = await createLogger({ name: 'pilot', format: 'json', level: 'info', destination: stream });
    logger.child({ proxy: 'reviews-v1' }).warn('refused', { error: new Error('no such cluster') });
    const record: unknown = JSON.parse(text());
    expect(record).toMatchObject({
      level: 'warn',
      name: 'pilot',
      proxy: 'reviews-v1',
      msg: 'refused',
      error: { message: 'no such cluster' },
    });
  });

  it('leaves out what is below its level', async () => {
    const { stream, text } = sink();
    const logger = await createLogger({ name: 'pilot', format: 'json', level: 'warn', destination: stream });
    logger.info('not this');
    expect(text()).toBe('');
    expect(logger.isDebug()).toBe(false);
  });

  it('writes for a person when asked to', async () => {
    const { stream, text } = sink();
    const logger = await createLogger({ name: 'pilot', format: 'pretty', level: 'info', destination: stream });
    logger.info('listening', { port: 15010 });
    expect(text()).toContain('pilot: listening');
    expect(text()).toContain('15010');
  });
});

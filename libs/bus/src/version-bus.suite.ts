import { afterEach, describe, expect, it } from 'vitest';
import { FlotillaError } from '@flotilla/runtime';
import type { VersionAnnouncement, VersionBus } from './version-bus.ts';

const reviews = { group: 'networking.istio.io', kind: 'VirtualService', namespace: 'default', name: 'reviews' };

/**
 * What every version bus does. `makeBus` is called per test; `twin`, where the implementation spans processes, opens a
 * second connection to the same bus.
 */
export function versionBusSuite(
  makeBus: () => Promise<VersionBus>,
  twin: (bus: VersionBus) => Promise<VersionBus> = async (bus) => bus,
): void {
  const open: VersionBus[] = [];
  const start = async (): Promise<{ publisher: VersionBus; subscriber: VersionBus }> => {
    const publisher = await makeBus();
    const subscriber = await twin(publisher);
    open.push(publisher, subscriber);
    return { publisher, subscriber };
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((bus) => bus.close()));
  });

  describe('a version bus', () => {
    it('delivers an announcement to every listener', async () => {
      const { publisher, subscriber } = await start();
      const first = hearNext(subscriber);
      const second = hearNext(subscriber);
      await Promise.all([first.subscribed, second.subscribed]);
      await publisher.publish({ version: 7, keys: [reviews] });
      expect(await first.heard).toEqual({ version: 7, keys: [reviews] });
      expect(await second.heard).toEqual({ version: 7, keys: [reviews] });
    });

    it('delivers in the order of publishing', async () => {
      const { publisher, subscriber } = await start();
      const versions: number[] = [];
      const { promise, resolve } = Promise.withResolvers<undefined>();
      await subscriber.subscribe(({ version }) => {
        versions.push(version);
        if (version === 20) resolve(undefined);
      });
      for (let version = 1; version <= 20; version++) await publisher.publish({ version, keys: [] });
      await promise;
      expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    });

    it('does not deliver what was published before the subscription', async () => {
      const { publisher, subscriber } = await start();
      await publisher.publish({ version: 1, keys: [] });
      const next = hearNext(subscriber);
      await next.subscribed;
      await publisher.publish({ version: 2, keys: [] });
      expect((await next.heard).version).toBe(2);
    });

    it('stops delivering when the subscription ends, and ending it twice is harmless', async () => {
      const { publisher, subscriber } = await start();
      const versions: number[] = [];
      const end = await subscriber.subscribe(({ version }) => versions.push(version));
      end();
      end();
      const witness = hearNext(subscriber);
      await witness.subscribed;
      await publisher.publish({ version: 3, keys: [] });
      await witness.heard;
      expect(versions).toEqual([]);
    });

    it('delivers to the others when a listener throws', async () => {
      const { publisher, subscriber } = await start();
      const warned = new Promise((resolve) => process.once('warning', resolve));
      await subscriber.subscribe(() => {
        throw new Error('listener at fault');
      });
      const witness = hearNext(subscriber);
      await witness.subscribed;
      await publisher.publish({ version: 4, keys: [] });
      expect((await witness.heard).version).toBe(4);
      await warned;
    });

    it('refuses with unavailable once closed, and closes twice without complaint', async () => {
      const { publisher } = await start();
      await publisher.close();
      await publisher.close();
      await expect(publisher.publish({ version: 5, keys: [] })).rejects.toBeInstanceOf(FlotillaError);
      await expect(publisher.subscribe(() => undefined)).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
}

function hearNext(bus: VersionBus): {
  readonly heard: Promise<VersionAnnouncement>;
  readonly subscribed: Promise<unknown>;
} {
  const { promise, resolve } = Promise.withResolvers<VersionAnnouncement>();
  return { heard: promise, subscribed: bus.subscribe(resolve) };
}

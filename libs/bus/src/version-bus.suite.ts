import { afterEach, describe, expect, it } from 'vitest';
import { FlotillaError } from '@flotilla/runtime';
import type { VersionAnnouncement, VersionBus } from './version-bus.ts';

const reviews = { group: 'networking.istio.io', kind: 'VirtualService', namespace: 'default', name: 'reviews' };

export interface VersionBusSuiteOptions<B extends VersionBus> {
  /** Called per test. */
  make(): Promise<B>;
  /** Where the implementation spans processes: a second connection to the same bus. */
  twin?(bus: B): Promise<B>;
  /** Cuts a bus off from announcements while `during` is done, and brings it back. */
  interrupt(bus: B, during: () => Promise<void>): Promise<void>;
}

/** What every version bus does. */
export function versionBusSuite<B extends VersionBus>({
  make,
  twin = async (bus) => bus,
  interrupt,
}: VersionBusSuiteOptions<B>): void {
  const open: VersionBus[] = [];
  const start = async (): Promise<{ publisher: B; subscriber: B }> => {
    const publisher = await make();
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
      await publisher.publish({ epoch: 'e', version: 7, keys: [reviews] });
      expect(await first.heard).toEqual({ epoch: 'e', version: 7, keys: [reviews] });
      expect(await second.heard).toEqual({ epoch: 'e', version: 7, keys: [reviews] });
    });

    it('delivers in the order of publishing', async () => {
      const { publisher, subscriber } = await start();
      const versions: number[] = [];
      const { promise, resolve } = Promise.withResolvers<undefined>();
      await subscriber.subscribe(({ version }) => {
        versions.push(version);
        if (version === 20) resolve(undefined);
      });
      for (let version = 1; version <= 20; version++) await publisher.publish({ epoch: 'e', version, keys: [] });
      await promise;
      expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    });

    it('does not deliver what was published before the subscription', async () => {
      const { publisher, subscriber } = await start();
      await publisher.publish({ epoch: 'e', version: 1, keys: [] });
      const next = hearNext(subscriber);
      await next.subscribed;
      await publisher.publish({ epoch: 'e', version: 2, keys: [] });
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
      await publisher.publish({ epoch: 'e', version: 3, keys: [] });
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
      await publisher.publish({ epoch: 'e', version: 4, keys: [] });
      expect((await witness.heard).version).toBe(4);
      await warned;
    });

    it('announces of a large change that there is one', async () => {
      const { publisher, subscriber } = await start();
      const next = hearNext(subscriber);
      await next.subscribed;
      const keys = Array.from({ length: 10_000 }, (_, index) => ({ ...reviews, name: `reviews-${index}` }));
      await publisher.publish({ epoch: 'e', version: 6, keys });
      const heard = await next.heard;
      expect(heard.version).toBe(6);
      expect(keys).toEqual(expect.arrayContaining([...heard.keys.slice(0, 10)]));
    });

    it('tells who was cut off that it has to look, and delivers what comes then', async () => {
      const { publisher, subscriber } = await start();
      const versions: number[] = [];
      const gap = Promise.withResolvers<void>();
      const next = Promise.withResolvers<void>();
      await subscriber.subscribe(
        ({ version }) => {
          versions.push(version);
          if (version === 9) next.resolve();
        },
        () => gap.resolve(),
      );
      await interrupt(subscriber, () => publisher.publish({ epoch: 'e', version: 8, keys: [] }).catch(() => undefined));
      await gap.promise;
      await publisher.publish({ epoch: 'e', version: 9, keys: [] });
      await next.promise;
      expect(versions).toEqual([9]);
    });

    it('refuses with unavailable once closed, and closes twice without complaint', async () => {
      const { publisher } = await start();
      await publisher.close();
      await publisher.close();
      await expect(publisher.publish({ epoch: 'e', version: 5, keys: [] })).rejects.toBeInstanceOf(FlotillaError);
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

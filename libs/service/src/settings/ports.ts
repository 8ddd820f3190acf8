import { compileKnownHosts } from '@flotilla/http-port';
import { flag, list, single } from './setting.ts';

/** Names by which browsers may call the HTTP ports of a program. */
export const httpHostsSetting = list(
  single(
    'name',
    {
      description:
        'name by which the HTTP ports may be called, beside addresses, localhost and names that no public DNS has; *.name for all below it',
    },
    (name) => {
      compileKnownHosts([name]);
      return name;
    },
  ),
);

/** `what` is of the program: what would be open without it. */
export const allowPlaintextSetting = (what: string) =>
  flag({ description: `${what} without TLS may listen off loopback, with a warning at every start` });

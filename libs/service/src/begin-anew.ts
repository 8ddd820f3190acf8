import { checkedWish } from '@flotilla/runtime/disk';
import * as settings from './settings/setting.ts';

/** What was lost on purpose, for services that keep what must not be begun anew without a word. */
export const beginAnewSetting = settings.list(
  settings.single(
    'part:identity',
    { description: 'begin anew what was lost, named as the refusal of a start names it; harmless once it was done' },
    checkedWish,
  ),
);

import { replyJson } from '../http/reply.ts';
import { compileRoutes, parseProductId } from '../http/routes.ts';
import { openService, type ListenAddress, type RunningService } from '../http/service.ts';

/** What a catalogue would say about a book; this shop has one book, so every id gets the same. */
const DETAILS = {
  author: 'William Shakespeare',
  year: 1595,
  type: 'paperback',
  pages: 200,
  publisher: 'PublisherA',
  language: 'English',
  'ISBN-10': '1234567890',
  'ISBN-13': '123-1234567890',
};

export function startDetails(address: ListenAddress): Promise<RunningService> {
  const listener = compileRoutes([
    {
      method: 'GET',
      path: '/details/*',
      handle: ({ response, segment }) => replyJson(response, 200, { id: parseProductId(segment), ...DETAILS }),
    },
    {
      method: 'GET',
      path: '/health',
      handle: ({ response }) => replyJson(response, 200, { status: 'details is healthy' }),
    },
  ]);
  return openService({ name: 'details', listener }, address);
}

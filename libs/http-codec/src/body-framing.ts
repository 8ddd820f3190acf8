/** How a body ends: there is none, after so many bytes, by a last chunk, or when the peer closes. */
export type BodyFraming = 'none' | 'chunked' | 'until-close' | number;

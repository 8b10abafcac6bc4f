-- Claims are dropped lane by lane, once a day. In the order of this index a day's claims were as scattered as in that of
-- their identities, and every transaction wrote as many pages for it again.
DROP INDEX claims_landed;

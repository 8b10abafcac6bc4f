-- Hashes of what a call sent, where its content was on the wire: they tell identical requests apart from equally long
-- ones, and prompts without a name by their system prompt. The content itself is not stored.
ALTER TABLE landing ADD COLUMN sent_request bigint, ADD COLUMN sent_system bigint;
ALTER TABLE calls ADD COLUMN sent_request bigint, ADD COLUMN sent_system bigint;
ALTER TABLE sampled_calls ADD COLUMN sent_system bigint;

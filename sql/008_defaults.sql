-- What a first installation knows. Users change all of it.

INSERT INTO cdp.sources (name) VALUES ('default');

INSERT INTO cdp.identifier_types
    (name, priority, max_per_profile, bridges, normaliser, max_degree, paths)
VALUES
    ('user_id', 10, 1, true, 'text', '{}', '{userId,previousId}'),
    ('email', 20, 5, true, 'email', '{"user_id": 10}',
     '{traits.email,context.traits.email}'),
    ('phone', 30, 5, true, 'phone', '{"user_id": 10}',
     '{traits.phone,context.traits.phone}'),
    ('device_id', 80, NULL, false, 'text', '{}', '{context.device.id}'),
    ('anonymous_id', 90, NULL, false, 'text', '{}', '{anonymousId}');

-- question: Which regions and keys do the logs show?
-- grain: one row per seller, region, key and key's name in the logs
-- parameters: since, until
-- columns:
--   seller: provider of the price book, or the gateway that sends the bill
--   region: region of the provider
--   api_key_id: hashed key
--   api_key_name: alias of the key

SELECT DISTINCT
    our_names.seller,
    attempts.region,
    attempts.api_key_id,
    attempts.api_key_name
FROM attempts
INNER JOIN our_names
    ON
        CASE WHEN attempts.gateway IN ('openrouter', 'vercel') THEN attempts.gateway ELSE attempts.provider_name END
        IS NOT DISTINCT FROM our_names.provider
        AND coalesce(attempts.price_model, attempts.response_model, attempts.request_model)
        IS NOT DISTINCT FROM our_names.logged_name
WHERE
    attempts.day >= cast($since AT TIME ZONE 'UTC' AS DATE)
    AND attempts.day <= cast($until AT TIME ZONE 'UTC' AS DATE)

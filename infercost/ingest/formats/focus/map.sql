-- FOCUS: a line of an AI service or vendor is one bill line; other lines of a cloud's bill are skipped.
WITH named AS (
    SELECT
        *,
        nullif(trim(ChargePeriodStart), '') AS written_start,
        -- Dates with slashes first: read as ISO they would be years of the Roman Empire.
        CASE
            WHEN contains(written_start, '/') THEN try_strptime(
                written_start,
                ['%m/%d/%y', '%m/%d/%Y', '%m/%d/%y %H:%M', '%m/%d/%Y %H:%M', '%m/%d/%y %H:%M:%S', '%m/%d/%Y %H:%M:%S']
            ) AT TIME ZONE 'UTC'
            ELSE utc(written_start)
        END AS started,
        CASE
            WHEN contains(ChargePeriodEnd, '/') THEN try_strptime(
                trim(ChargePeriodEnd),
                ['%m/%d/%y', '%m/%d/%Y', '%m/%d/%y %H:%M', '%m/%d/%Y %H:%M', '%m/%d/%y %H:%M:%S', '%m/%d/%Y %H:%M:%S']
            ) AT TIME ZONE 'UTC'
            ELSE utc(ChargePeriodEnd)
        END AS ended,
        nullif(trim(BilledCost), '') AS written_cost,
        try_cast(replace(written_cost, ',', '') AS DECIMAL(18, 12)) AS money,
        coalesce(ServiceProviderName, ProviderName, PublisherName, InvoiceIssuerName) AS provider,
        lower(concat_ws(' ', provider, PublisherName, InvoiceIssuerName, HostProviderName)) AS vendors,
        lower(concat_ws(' ', ServiceName, SkuMeter, x_SkuMeterName, x_ServiceCode, x_UsageType)) AS service,
        coalesce(SkuMeter, x_SkuMeterName, x_UsageType, ChargeDescription) AS charged_for,
        coalesce(
            BillingAccountType = 'API Key' OR json_exists(Tags, '$.custom_llm_provider')
            OR json_exists(Tags, '$.model_group'),
            false
        ) AS is_litellm,
        coalesce(ChargeCategory = 'Usage', ChargeCategory IS NULL) AS is_use,
        -- Prices in a vendor's own unit, whatever it is called, count nothing of a model.
        coalesce(length(trim(PricingCurrency)) <> 3, false) AS is_virtual
    FROM records
),

judged AS (
    SELECT
        *,
        coalesce(lower(ServiceCategory) = 'ai and machine learning', false)
        OR regexp_matches(
            service,
            'bedrock|openai|anthropic|claude|\bgpt-?[0-9o]|vertex|gemini|generative ai|language model'
            || '|cognitive services|azure ai|ai foundry|foundry models|mistral|llama|deepseek|cohere|\bgrok'
        )
        OR regexp_matches(
            vendors,
            'openai|anthropic|mistral|cohere|deepseek|\bgroq|perplexity|\bx\.?ai\b|x_ai|openrouter|together ?ai'
            || '|fireworks ?ai|hugging ?face|replicate|ai21|cerebras|sambanova|elevenlabs|stability ai|voyage ?ai'
        ) AS is_ai,
        lower(replace(regexp_replace(
            concat_ws(' ', SkuMeter, x_SkuMeterName, x_UsageType, CASE
                WHEN coalesce(SkuMeter, x_SkuMeterName, x_UsageType) IS NULL THEN ChargeDescription
            END), '([a-z0-9])([A-Z])', '\1-\2', 'g'
        ), '_', '-')) AS words,
        CASE
            WHEN is_litellm THEN lower(coalesce(Tags ->> '$.custom_llm_provider', provider))
            ELSE lower(provider)
        END AS vendor,
        coalesce(
            Tags ->> '$.model', SkuPriceDetails ->> '$.model', SkuPriceDetails ->> '$.Model',
            SkuPriceDetails ->> '$.x_Model', SkuPriceDetails ->> '$.ModelName',
            CASE WHEN is_litellm THEN ResourceId END,
            nullif(regexp_extract(ServiceName, '^(.+?)\s*\(Amazon Bedrock Edition\)\s*$', 1), ''),
            nullif(regexp_extract(x_UsageType, '^[A-Z0-9]+-(.+?)-mantle-', 1), ''),
            nullif(
                regexp_extract(
                    x_UsageType,
                    '^[A-Z0-9]+-([^:]+?)-(?:(?:text|speech|audio|image|video)-)?(?:input|output|cache)\b.*token', 1
                ), ''
            )
        ) AS model_name
    FROM named
),

counted AS (
    SELECT
        *,
        -- LiteLLM's quantity is one request for each daily sum.
        CASE
            WHEN is_litellm AND lower(ConsumedUnit) = 'requests' THEN NULL
            WHEN is_use AND nullif(trim(ConsumedQuantity), '') IS NOT NULL THEN trim(ConsumedUnit)
            WHEN is_use OR ChargeCategory = 'Purchase' THEN trim(PricingUnit)
        END AS unit,
        CASE
            WHEN is_litellm AND lower(ConsumedUnit) = 'requests' THEN NULL
            WHEN is_use AND nullif(trim(ConsumedQuantity), '') IS NOT NULL
                THEN try_cast(replace(ConsumedQuantity, ',', '') AS DOUBLE)
            WHEN is_use OR ChargeCategory = 'Purchase' THEN try_cast(replace(PricingQuantity, ',', '') AS DOUBLE)
        END AS amount,
        regexp_matches(vendors || ' ' || service, 'bedrock|amazon|\baws\b') AS is_bedrock,
        is_use AND NOT is_virtual AND NOT regexp_matches(words, 'tpm|provisioned|ptu|reserved') AND (
            regexp_matches(words, 'tokens?\b') OR regexp_matches(lower(unit), 'tokens?\b')
        ) AS is_tokens,
        CASE
            WHEN NOT is_tokens THEN 1
            WHEN regexp_matches(lower(unit), '^(1k|1,?000|thousand|k)\b') THEN 1000
            WHEN regexp_matches(lower(unit), '^(1m|1,?000,?000|million|m)\b') THEN 1000000
            WHEN regexp_matches(words, 'mp:') AND lower(coalesce(unit, 'units')) = 'units' THEN 1000000
            ELSE 1
        END AS factor
    FROM judged
    WHERE is_ai
),

worded AS (
    SELECT
        *,
        CASE
            WHEN NOT is_tokens THEN NULL
            WHEN regexp_matches(words, 'cache[- ]?writ|cache creation') THEN 'cache_write_' || coalesce(
                nullif(regexp_extract(words, '\b(1h|30m|12h|5m)\b', 1), ''), '5m'
            )
            WHEN regexp_matches(words, 'cache[- ]?(read|hit)|\bcached\b|\bcchd\b') THEN 'cache_read'
            WHEN regexp_matches(words, 'video') THEN NULL
            WHEN regexp_matches(words, '\b(input|inp|prompt)\b') THEN CASE
                WHEN regexp_matches(words, '\b(audio|speech|aud)\b') THEN 'input_audio'
                WHEN regexp_matches(words, '\b(image|img)\b') THEN 'input_image'
                WHEN is_bedrock THEN 'input_uncached'
                ELSE 'input'
            END
            WHEN regexp_matches(words, '\b(output|outp|opt|completion|response)\b') THEN CASE
                WHEN regexp_matches(words, '\b(audio|speech|aud)\b') THEN 'output_audio'
                WHEN regexp_matches(words, '\b(image|img)\b') THEN 'output_image'
                ELSE 'output'
            END
        END AS kind,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), coalesce(BillingAccountId, ''),
            coalesce(SubAccountId, ''), coalesce(provider, ''), coalesce(ServiceName, ''),
            coalesce(ChargeCategory, ''), coalesce(ChargeClass, ''), coalesce(ChargeDescription, ''),
            coalesce(charged_for, ''), coalesce(x_UsageType, ''), coalesce(SkuId, ''), coalesce(SkuPriceId, ''),
            coalesce(ResourceId, ''), coalesce(RegionId, ''), coalesce(PricingCategory, ''), coalesce(PricingUnit, ''),
            coalesce(CommitmentDiscountId, ''), coalesce(CommitmentDiscountStatus, ''), coalesce(BillingCurrency, ''),
            md5(coalesce(CAST(Tags AS VARCHAR), ''))
        ) AS key
    FROM counted
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN written_start IS NULL THEN 'ChargePeriodStart is missing'
        WHEN started IS NULL THEN 'ChargePeriodStart is no time: ' || left(written_start, 60)
        WHEN written_cost IS NULL THEN 'BilledCost is missing'
        WHEN money IS NULL THEN 'BilledCost is no amount of money: ' || left(written_cost, 60)
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY source_file, key ORDER BY money DESC, amount DESC)) AS dedupe_key,
    CASE
        WHEN regexp_matches(vendor, 'bedrock|amazon|^aws') THEN 'aws.bedrock'
        WHEN regexp_matches(vendor, 'azure|microsoft') THEN 'azure.ai.openai'
        WHEN regexp_matches(vendor, 'gemini') THEN 'gcp.gemini'
        WHEN regexp_matches(vendor, 'vertex|google') THEN 'gcp.vertex_ai'
        WHEN regexp_matches(vendor, 'mistral') THEN 'mistral_ai'
        WHEN regexp_matches(vendor, '^x[._ ]?ai') THEN 'x_ai'
        WHEN regexp_matches(vendor, 'openai|anthropic|deepseek|cohere|groq|perplexity|openrouter')
            THEN regexp_extract(vendor, '(openai|anthropic|deepseek|cohere|groq|perplexity|openrouter)', 1)
        ELSE vendor
    END AS provider_name,
    'cost' AS measure,
    started AS period_start,
    ended AS period_end,
    InvoiceId AS invoice_id,
    -- LiteLLM's billing account is an API key, its sub-account a team.
    CASE WHEN is_litellm THEN SubAccountId ELSE coalesce(SubAccountId, BillingAccountId) END AS account,
    CASE WHEN is_litellm THEN Tags ->> '$.user_id' END AS user_id,
    CASE WHEN is_litellm THEN BillingAccountId END AS api_key_id,
    CASE WHEN is_litellm THEN coalesce(BillingAccountName, Tags ->> '$.api_key_alias') END AS api_key_name,
    model_name AS model,
    charged_for AS charge,
    kind AS token_kind,
    CASE WHEN is_use THEN nullif(regexp_extract(words, '\b(batch|flex|priority)\b', 1), '') END AS service_tier,
    RegionId AS region,
    try_cast(amount * factor AS DECIMAL(28, 9)) AS quantity,
    CASE WHEN amount IS NULL THEN NULL WHEN is_tokens THEN 'tokens' ELSE unit END AS quantity_unit,
    money AS billed_cost,
    try_cast(replace(ListCost, ',', '') AS DECIMAL(18, 12)) AS list_cost,
    upper(BillingCurrency) AS currency,
    tag_map(
        list_concat(
            [
                {'key': 'charge_category', 'value': ChargeCategory},
                {'key': 'charge_class', 'value': ChargeClass},
                {'key': 'effective_cost', 'value': EffectiveCost},
                {'key': 'service_name', 'value': ServiceName},
                {'key': 'publisher', 'value': PublisherName},
                {'key': 'resource_id', 'value': CASE WHEN NOT is_litellm THEN ResourceId END},
                {'key': 'sub_account_name', 'value': SubAccountName},
                {'key': 'pricing_currency', 'value': CASE WHEN is_virtual THEN PricingCurrency END}
            ],
            -- What names a person is the hashed user alone.
            list_filter(
                json_pairs(Tags),
                lambda tag: NOT is_litellm OR tag.key NOT IN ('user_id', 'user_email', 'api_key_alias', 'model')
            )
        )
    ) AS tags
FROM worded
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM judged
WHERE NOT coalesce(is_ai, false)

-- AWS bills: a line of Amazon Bedrock is one bill line; lines of other services are skipped.
WITH named AS (
    -- CUR 2.0 and legacy CUR in Athena share names; the legacy CSV has its own.
    SELECT
        record_number,
        source_file,
        coalesce(line_item_usage_start_date, "lineItem/UsageStartDate") AS written_start,
        utc(written_start) AS started,
        utc(coalesce(line_item_usage_end_date, "lineItem/UsageEndDate")) AS ended,
        coalesce(line_item_usage_account_id, "lineItem/UsageAccountId") AS usage_account,
        coalesce(bill_payer_account_id, "bill/PayerAccountId") AS payer_account,
        coalesce(bill_invoice_id, "bill/InvoiceId") AS invoice,
        coalesce(line_item_line_item_type, "lineItem/LineItemType") AS line_type,
        coalesce(line_item_product_code, "lineItem/ProductCode") AS product_code,
        coalesce(line_item_usage_type, "lineItem/UsageType") AS usage_type,
        coalesce(line_item_operation, "lineItem/Operation") AS operation,
        coalesce(line_item_resource_id, "lineItem/ResourceId") AS resource_id,
        line_item_iam_principal AS principal,
        coalesce(line_item_line_item_description, "lineItem/LineItemDescription") AS description,
        coalesce(line_item_usage_amount, "lineItem/UsageAmount") AS usage_amount,
        coalesce(line_item_unblended_rate, "lineItem/UnblendedRate") AS rate,
        nullif(trim(coalesce(line_item_unblended_cost, "lineItem/UnblendedCost")), '') AS written_cost,
        upper(coalesce(line_item_currency_code, "lineItem/CurrencyCode", 'USD')) AS billed_in,
        coalesce(pricing_unit, "pricing/unit") AS unit,
        coalesce(pricing_public_on_demand_cost, "pricing/publicOnDemandCost") AS list_price,
        coalesce(
            product ->> '$.product_name', product_product_name, "product/ProductName", product ->> '$.servicename',
            product_servicename, "product/servicename"
        ) AS product_name,
        coalesce(product_servicecode, product ->> '$.servicecode', "product/servicecode") AS service_code,
        coalesce(product ->> '$.model', product_model, "product/model") AS product_model_name,
        coalesce(
            product_region_code, product ->> '$.region_code', product ->> '$.region', product_region,
            "product/regionCode", "product/region"
        ) AS region_code,
        list_concat(json_pairs(resource_tags), json_pairs(tags)) AS user_tags
    FROM records
),

typed AS (
    SELECT
        *,
        -- Marketplace lines of models have a code of their own, and Bedrock in their name alone.
        regexp_matches(concat_ws(' ', product_code, service_code, product_name), 'bedrock', 'i')
        OR (
            regexp_matches(usage_type, 'MP:') AND regexp_matches(usage_type, 'tokens?[_-]|TokenCount', 'i')
        ) AS is_bedrock,
        regexp_extract(usage_type, '^((?:US|UG|EU|AP|CA|SA|ME|AF|IL|MX|CN)[A-Z]{0,2}[0-9]{0,2})-', 1) AS prefix,
        CASE WHEN prefix <> '' THEN substr(usage_type, length(prefix) + 2) ELSE usage_type END AS suffix,
        starts_with(suffix, 'MP:') AS is_marketplace,
        regexp_replace(regexp_replace(suffix, '^MP:[A-Z0-9]+_', ''), '-Units$', '') AS core,
        lower(replace(regexp_replace(core, '([a-z0-9])([A-Z])', '\1-\2', 'g'), '_', '-')) AS words,
        regexp_matches(words, '(^|-)tokens?(-|$)') AND NOT regexp_matches(words, 'tpm|provisioned|reserved')
            AS is_tokens,
        coalesce(
            line_type IN ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage'), line_type IS NULL
        ) AS is_use,
        try_cast(written_cost AS DECIMAL(18, 12)) AS money,
        try_cast(usage_amount AS DOUBLE) AS amount,
        lower(trim(unit)) AS unit_name,
        CASE
            WHEN regexp_matches(unit_name, '^(1k|1,?000|thousand)\b') THEN 1000
            WHEN regexp_matches(unit_name, '^(1m|1,?000,?000|million)\b') THEN 1000000
            -- The units of marketplace lines are millions, whatever their description says.
            WHEN is_marketplace AND is_tokens AND coalesce(unit_name, 'units') IN ('units', 'unit') THEN 1000000
            ELSE 1
        END AS factor
    FROM named
),

worded AS (
    SELECT
        *,
        CASE
            WHEN NOT is_tokens THEN NULL
            WHEN regexp_matches(words, 'cache-?read') THEN 'cache_read'
            WHEN regexp_matches(words, 'cache-?write') THEN 'cache_write_' || coalesce(
                nullif(regexp_extract(words, '(?:^|-)(1h|30m|12h|5m)(?:-|$)', 1), ''), '5m'
            )
            WHEN regexp_matches(words, '(^|-)(input|output)(-|$)') AND regexp_matches(words, '(^|-)video(-|$)')
                THEN NULL
            WHEN regexp_matches(words, '(^|-)input(-|$)') THEN CASE
                WHEN regexp_matches(words, '(^|-)(audio|speech)-') THEN 'input_audio'
                WHEN regexp_matches(words, '(^|-)image-') THEN 'input_image'
                ELSE 'input_uncached'
            END
            WHEN regexp_matches(words, '(^|-)(output|response)(-|$)') THEN CASE
                WHEN regexp_matches(words, '(^|-)(audio|speech)-') THEN 'output_audio'
                WHEN regexp_matches(words, '(^|-)image-') THEN 'output_image'
                ELSE 'output'
            END
        END AS kind,
        coalesce(
            nullif(regexp_extract(core, '^(.+?)-mantle-', 1), ''),
            product_model_name,
            CASE
                WHEN is_marketplace
                    THEN nullif(regexp_replace(product_name, '\s*\(Amazon Bedrock Edition\)\s*$', ''), 'Amazon Bedrock')
                WHEN is_tokens THEN nullif(
                    regexp_extract(
                        core, '^(.+?)-(?:(?:text|speech|audio|image|video)-)?(?:input|output|response|cache)\b', 1
                    ), ''
                )
            END
        ) AS model_name,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), coalesce(payer_account, ''),
            coalesce(usage_account, ''), coalesce(line_type, ''), coalesce(product_code, ''),
            coalesce(product_name, ''), coalesce(usage_type, ''), coalesce(operation, ''), coalesce(resource_id, ''),
            coalesce(principal, ''), coalesce(description, ''), coalesce(rate, ''), coalesce(unit, ''),
            coalesce(region_code, ''), billed_in, md5(CAST(user_tags AS VARCHAR))
        ) AS key
    FROM typed
    WHERE is_bedrock
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN started IS NULL THEN coalesce(
            'line_item_usage_start_date is no time: ' || left(written_start, 60),
            'line_item_usage_start_date is missing'
        )
        WHEN written_cost IS NULL THEN 'line_item_unblended_cost is missing'
        WHEN money IS NULL THEN 'line_item_unblended_cost is no amount of money: ' || left(written_cost, 60)
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY source_file, key ORDER BY money DESC, amount DESC)) AS dedupe_key,
    'aws.bedrock' AS provider_name,
    'cost' AS measure,
    started AS period_start,
    ended AS period_end,
    invoice AS invoice_id,
    usage_account AS account,
    principal AS user_id,
    model_name AS model,
    coalesce(nullif(usage_type, ''), description) AS charge,
    CASE WHEN is_use THEN kind END AS token_kind,
    CASE
        WHEN regexp_matches(words, 'latency-?optimized') THEN 'latency-optimized'
        ELSE nullif(regexp_extract(words, '(?:^|-)(batch|flex|priority)(?:-|$)', 1), '')
    END AS service_tier,
    coalesce(region_code, nullif(prefix, '')) AS region,
    nullif(regexp_extract(words, '(?:^|-)(long-c(?:tx|ontext))(?:-|$)', 1), '') AS context_window,
    CASE WHEN is_use THEN try_cast(amount * factor AS DECIMAL(28, 9)) END AS quantity,
    CASE
        WHEN NOT is_use OR amount IS NULL THEN NULL
        WHEN is_tokens AND (factor > 1 OR unit_name IN ('token', 'tokens')) THEN 'tokens'
        ELSE unit
    END AS quantity_unit,
    money AS billed_cost,
    try_cast(list_price AS DECIMAL(18, 12)) AS list_cost,
    billed_in AS currency,
    tag_map(
        list_concat(
            [
                {'key': 'line_item_type', 'value': line_type},
                {'key': 'operation', 'value': operation},
                {'key': 'resource_id', 'value': resource_id},
                {
                    'key': 'routing',
                    'value': CASE WHEN regexp_matches(words, '(^|-)global(-|$)') THEN 'global' END
                },
                {'key': 'product_name', 'value': product_name}
            ],
            user_tags
        )
    ) AS tags
FROM worded
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM typed
WHERE NOT coalesce(is_bedrock, false)

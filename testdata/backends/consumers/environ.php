<?php
// Answers with the variables that PHP made of the request, as JSON.
header('Content-Type: application/json');
echo json_encode(array_filter($_SERVER, 'is_string'), JSON_INVALID_UTF8_SUBSTITUTE);

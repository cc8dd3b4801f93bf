package weir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Validator is a config that is looked at, or prepared, before it is used.
type Validator interface {
	// Validate says what is wrong with the config.
	Validate() error
}

// parseConfig reads a config, as JSON, into what a pointer points to. A key without effect must not go unnoticed.
func parseConfig(text string, into any) error {
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if _, none := into.(*None); none && err != nil {
		return fmt.Errorf("the operator takes no config, but is given %s", text)
	}
	if validator, ok := into.(Validator); ok && err == nil {
		err = validator.Validate()
	}
	if err != nil {
		return fmt.Errorf("the operator's config is not valid: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}
